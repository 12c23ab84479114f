//! The real binary at a pseudo-terminal: wait for what it says, then type.

use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// Far longer than any answer takes, also on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A command at a terminal of 100 columns.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
    child: Box<dyn Child + Send + Sync>,
    /// All that was shown.
    pub(crate) shown: String,
    seen: usize,
    /// The beginning of a character whose other bytes come with the next read.
    half: Vec<u8>,
}

impl Terminal {
    pub(crate) fn new(folder: &Path, args: &[&str]) -> Self {
        Self::with(folder, args, &[])
    }

    /// [`Self::new`] with variables in the environment.
    pub(crate) fn with(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let binary = Path::new(env!("CARGO_BIN_EXE_conclave"));
        Self::of(binary, folder, args, variables)
    }

    /// [`Self::with`] with another program.
    pub(crate) fn of(
        program: &Path,
        folder: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 100,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(folder);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let (sender, screen) = channel();
        let reader = std::thread::spawn(move || {
            let mut bytes = [0u8; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard: pair.master.take_writer().unwrap(),
            master: pair.master,
            screen,
            reader,
            child,
            shown: String::new(),
            seen: 0,
            half: Vec::new(),
        }
    }

    fn show(&mut self, bytes: &[u8]) {
        self.half.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.half) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.half.len(),
        };
        let bytes: Vec<u8> = self.half.drain(..whole).collect();
        self.shown.push_str(&String::from_utf8_lossy(&bytes));
    }

    /// Waits until this is shown, after all that was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.show(&bytes),
                Err(why) => panic!("{text:?} was not shown ({why}): {}", self.shown),
            }
        }
    }

    /// Types an answer and Return, once the question stands there.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for(question);
        self.keys(&format!("{answer}\r"));
    }

    pub(crate) fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end; returns how it ended and all that was shown.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.show(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end: {}", self.shown),
            }
        }
        (self.child.wait().unwrap(), self.shown)
    }

    /// Waits for the command's end, while the terminal is still there.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        match ended(&mut *self.child) {
            Some(status) => status,
            None => panic!("it did not end: {}", self.shown),
        }
    }

    /// Whether keys are echoed and read by the line, as a shell needs it.
    pub(crate) fn is_sane(&self) -> bool {
        let flags = self.master.get_termios().unwrap().local_flags;
        let shown = format!("{flags:?}");
        shown.contains("ICANON") && shown.contains("ECHO")
    }

    /// Takes the terminal away, as a closed window does.
    #[track_caller]
    pub(crate) fn hang_up(self) -> ExitStatus {
        let Self {
            master,
            keyboard,
            screen,
            reader,
            mut child,
            shown,
            ..
        } = self;
        // The terminal is there as long as anybody holds it, and the reader does until what it read
        // can be handed to nobody. So nobody listens any more before the keyboard goes, which types
        // Return, and the command answers.
        drop(screen);
        drop((master, keyboard));
        let end = Instant::now() + PATIENCE;
        while !reader.is_finished() && Instant::now() < end {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        match ended(&mut *child) {
            Some(status) => status,
            None => panic!("it did not end: {shown}"),
        }
    }
}

/// How a command ended; one that does not is killed.
fn ended(child: &mut dyn Child) -> Option<ExitStatus> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    child.kill().unwrap();
    None
}
