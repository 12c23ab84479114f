//! The real binary on a terminal of a chosen kind and width, to its end.

use std::io::{Read as _, Write as _};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::binary::Desk;

/// Runs a command on a terminal that is `columns` wide, with these lines typed ahead; returns its
/// exit code and everything that came onto the screen, with plain line ends.
#[track_caller]
pub(crate) fn on_screen(
    desk: &Desk,
    args: &[&str],
    (columns, kind): (u16, &str),
    typed: &str,
) -> (u32, String) {
    let size = PtySize {
        rows: 24,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_conclave"));
    command.args(args);
    command.env_clear();
    command.env("TERM", kind);
    command.cwd(desk.path("."));
    let mut child = pair.slave.spawn_command(command).unwrap();
    // The reader ends when the last holder of the other side is gone.
    drop(pair.slave);
    let mut writer = pair.master.take_writer().unwrap();
    writer.write_all(typed.as_bytes()).unwrap();
    let mut screen = Vec::new();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut part = [0; 4096];
    // Linux reports the end as an error.
    while let Ok(count @ 1..) = reader.read(&mut part) {
        screen.extend_from_slice(&part[..count]);
    }
    drop(writer);
    let code = child.wait().unwrap().exit_code();
    let screen = String::from_utf8(screen).unwrap();
    (code, screen.replace("\r\n", "\n"))
}
