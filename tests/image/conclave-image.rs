//! A conclave that shows its memory: runs a command as the binary does, then writes down what every
//! writable page of the process holds, and what the system says of the process.
//!
//! `conclave-image FOLDER [--abort] -- ARGUMENTS`. The folder gets `pages` (for each page that is not
//! zero its address, eight bytes little-endian, and its bytes), `maps`, `limits` and `status` as the
//! kernel shows them, `dumpable`. The exit code is the command's. Linux only.
#![expect(
    clippy::disallowed_methods,
    reason = "a test program, which reads its own process and writes where the test says"
)]

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<std::process::ExitCode> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::fs::{self, File};
    use std::io::{self, BufWriter, Write as _};
    use std::os::unix::fs::FileExt as _;
    use std::path::Path;
    use std::process::ExitCode;

    use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

    const PAGE: usize = 4096;

    pub(super) fn main() -> io::Result<ExitCode> {
        let mut args = std::env::args_os();
        let name = args.next().unwrap_or_default();
        let folder = args.next().unwrap_or_default();
        let mut args: Vec<OsString> = args.collect();
        let abort = args.first().is_some_and(|first| first == "--abort");
        args.drain(..if abort { 2 } else { 1 }.min(args.len()));
        let code = conclave::cli::run(std::iter::once(name).chain(args));
        if abort {
            std::process::abort();
        }
        show(Path::new(&folder))?;
        Ok(code)
    }

    fn show(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let dumpable = dumpable_behavior()?;
        fs::write(folder.join("dumpable"), format!("{dumpable:?}"))?;
        // A process that may not be dumped may not open its own memory either, unless it is root's.
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        for name in ["limits", "status", "maps"] {
            fs::write(folder.join(name), fs::read(format!("/proc/self/{name}"))?)?;
        }
        let memory = File::open("/proc/self/mem")?;
        let mut pages = BufWriter::new(File::create(folder.join("pages"))?);
        let mut page = [0u8; PAGE];
        for line in fs::read_to_string("/proc/self/maps")?.lines() {
            let mut words = line.split_whitespace();
            let range = words.next().and_then(|range| range.split_once('-'));
            let writable = words.next().is_some_and(|rights| rights.starts_with("rw"));
            let ends = range.and_then(|(start, end)| {
                let number = |text| u64::from_str_radix(text, 16).ok();
                Some((number(start)?, number(end)?))
            });
            let Some((start, end)) = ends.filter(|_| writable) else {
                continue;
            };
            for address in (start..end).step_by(PAGE) {
                // What was unmapped meanwhile has no page.
                if memory.read_exact_at(&mut page, address).is_ok() && page.iter().any(|b| *b != 0)
                {
                    pages.write_all(&address.to_le_bytes())?;
                    pages.write_all(&page)?;
                }
            }
        }
        pages.flush()
    }
}
