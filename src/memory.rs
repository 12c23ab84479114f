//! What becomes of this process's memory: wiped as soon as it is given back, kept out of core dumps
//! and of the debuggers of other processes, and locked into RAM where the system permits it.
//!
//! Three places hold copies that no type of ours owns, and each has its answer:
//!
//! - **the heap**: buffers of libraries, vectors that grew. Every block is overwritten with zeros
//!   when it is freed, whoever allocated it: the global allocator below. One that grows moves.
//! - **stacks**: what arithmetic leaves below the last frame. Secrets are worked on in threads whose
//!   stacks have [`STACK_BYTES`], and [`wipe_stack`] overwrites all of them but [`STACK_MARGIN`]
//!   when the work is done: [`work`].
//! - **the disk**: [`harden`] switches core dumps off, and locks memory, all of it or none.
//!
//! Why all or none: secrets pass through the stack and through buffers of libraries. Locking only
//! the values with a type of their own would promise more than it holds; and a process that locks
//! all within a limit fails at the limit, in the middle of a ceremony. So [`harden`] locks where no
//! limit is (root, or `ulimit -l unlimited`), and says so where it could not.

use std::hint::black_box;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

use zeroize::Zeroize as _;
use zeroizing_alloc::ZeroAlloc;

/// Bytes of the stack of every thread that works on secrets.
pub const STACK_BYTES: usize = 4 << 20;

/// What [`wipe_stack`] leaves alone: the frames that called it, and the thread's own data.
pub const STACK_MARGIN: usize = 512 << 10;

/// Bytes that one frame of [`wipe_stack`] overwrites.
const STACK_STEP: usize = 64 << 10;

/// Frees only what it has overwritten, and never grows a block in place.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

/// What [`harden`] achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardened {
    /// Core dumps of this process.
    pub core: CoreDumps,
    /// Swap of this process.
    pub locked: Locked,
}

/// Whether a fault of this process leaves a copy of its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoreDumps {
    /// None is made, neither as a file nor for a program of the system.
    Off,
    /// The limit for files is 0; a system's own error reporting may not ask for it.
    Limited,
    /// The system refused, or there is nothing to ask.
    Unknown,
}

/// Whether pages of this process may be swapped out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// None; hibernation writes them all the same.
    All,
    /// Any: locking is limited for this user, or unknown to the system.
    Nothing,
}

/// Switches core dumps off and locks memory, as far as the system lets it; to be called before the
/// first secret is read, and while there is one thread. What it did holds until the process ends;
/// programs that it starts inherit the limit on core dumps.
pub fn harden() -> Hardened {
    Hardened {
        core: no_core_dumps(),
        locked: lock(),
    }
}

#[cfg(unix)]
fn no_core_dumps() -> CoreDumps {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    match (setrlimit(Resource::Core, none), undumpable()) {
        (_, true) => CoreDumps::Off,
        (Ok(()), false) => CoreDumps::Limited,
        (Err(_), false) => CoreDumps::Unknown,
    }
}

#[cfg(not(unix))]
fn no_core_dumps() -> CoreDumps {
    CoreDumps::Unknown
}

/// Linux dumps no such process, not even to the program that a `core_pattern` names, and lets no
/// other process of the user read its memory.
#[cfg(target_os = "linux")]
fn undumpable() -> bool {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn undumpable() -> bool {
    false
}

/// Locks every page, those to come as soon as they are touched. Where a limit would make a later
/// allocation fail it locks nothing.
#[cfg(target_os = "linux")]
fn lock() -> Locked {
    use rustix::mm::{MlockAllFlags, mlockall, munlockall};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Memlock);
    if limit.maximum.is_none() && limit.current.is_some() {
        let raised = Rlimit {
            current: None,
            maximum: None,
        };
        if setrlimit(Resource::Memlock, raised).is_ok() {
            limit = raised;
        }
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if mlockall(all).is_err() {
        return Locked::Nothing;
    }
    // Under a limit only the privileged go on: a mapping beyond it shows who is. A stack is the one
    // that costs nothing, since nobody touches it.
    let beyond = limit.current.map(|bytes| bytes.saturating_add(1 << 20));
    let unlimited = beyond.is_none_or(|bytes| {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let thread = std::thread::Builder::new().stack_size(bytes.max(STACK_BYTES));
        thread
            .spawn(|| ())
            .is_ok_and(|thread| thread.join().is_ok())
    });
    if unlimited {
        return Locked::All;
    }
    // Without this a later allocation would fail: there is no way on that keeps half of it.
    match munlockall() {
        Ok(()) => Locked::Nothing,
        Err(_) => Locked::All,
    }
}

#[cfg(not(target_os = "linux"))]
fn lock() -> Locked {
    Locked::Nothing
}

/// Does secret work in a thread with a stack of its own and in rayon's pool, then wipes the stacks
/// of all of them. A panic of `f` goes on in the caller. Fails, with nothing done, if the system
/// gives no thread.
pub fn work<R: Send>(f: impl FnOnce() -> R + Send) -> io::Result<R> {
    let pooled = own_pool();
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || {
            let done = catch_unwind(AssertUnwindSafe(f));
            if pooled {
                rayon::broadcast(|_| wipe_stack());
            }
            wipe_stack();
            done
        })?;
        Ok::<_, io::Error>(thread.join())
    })?;
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) | Err(panic) => resume_unwind(panic),
    }
}

/// Gives rayon's pool stacks of a known size. `false` if somebody built another pool before.
fn own_pool() -> bool {
    static OWN: OnceLock<bool> = OnceLock::new();
    *OWN.get_or_init(|| {
        let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES);
        pool.build_global().is_ok()
    })
}

/// Overwrites the stack below the caller's frame with zeros, down to [`STACK_MARGIN`] above its end
/// in a thread with a stack of [`STACK_BYTES`].
#[inline(never)]
pub fn wipe_stack() {
    let steps = STACK_BYTES
        .saturating_sub(STACK_MARGIN)
        .checked_div(STACK_STEP);
    wipe_frames(steps.unwrap_or(0));
}

#[inline(never)]
fn wipe_frames(steps: usize) {
    // Wide integers: each is a write of its own, and there are megabytes of them.
    let mut frame = [0u128; STACK_STEP / size_of::<u128>()];
    frame.zeroize();
    black_box(&mut frame);
    if let Some(rest) = steps.checked_sub(1) {
        wipe_frames(rest);
    }
    // Used after the call, so that no two frames share their place.
    black_box(&mut frame);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_returns_what_it_did_and_its_panics() {
        assert_eq!(work(|| 3).unwrap(), 3);
        let panicked = catch_unwind(|| work(|| -> u8 { panic!("on purpose") }));
        assert!(panicked.is_err());
    }

    /// A page of the stack, as it is left behind by who returned.
    #[inline(never)]
    fn leave(depth: usize) -> u8 {
        let mut frame = [0xa5u8; 4096];
        black_box(&mut frame);
        let below = depth.checked_sub(1).map_or(0, leave);
        black_box(&frame)[7] ^ below
    }

    /// Wiping as deep as it promises stays inside of a stack of that size, also below frames.
    #[test]
    fn the_whole_stack_can_be_wiped() {
        let deepest = (STACK_BYTES - STACK_MARGIN) / 8192;
        work(|| {
            black_box(leave(deepest));
            wipe_stack();
        })
        .unwrap();
    }
}
