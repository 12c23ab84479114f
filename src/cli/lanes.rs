//! Jobs that need memory, on all cores: as many at one time as fit, their results in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;

use crate::ethereum::keystore::{Capacity, CapacityError};

/// Something to be worked on.
pub(super) trait Job: Send {
    /// The memory that the work takes, in bytes.
    fn bytes(&self) -> u64;
}

/// What is under way.
#[derive(Default)]
struct Running {
    jobs: usize,
    bytes: u64,
}

impl Running {
    /// Whether one more must wait. Alone it never waits: what fits nowhere is the caller's to refuse.
    fn is_full(&self, capacity: Capacity, more: u64) -> bool {
        self.jobs >= capacity.cores()
            || self.jobs > 0 && self.bytes.saturating_add(more) > capacity.bytes()
    }
}

/// Makes a job of each item, lets threads work on them and tells the results in the items' order.
///
/// Items become jobs one after another on the calling thread, when there is room for another, so that
/// no more jobs wait than work. Both `prepare` and `tell` get `cx`.
pub(super) fn in_order<I, C, J: Job, R: Send>(
    capacity: Capacity,
    items: &[I],
    cx: &mut C,
    prepare: impl Fn(&I, &mut C) -> J,
    work: impl Fn(J) -> R + Sync,
    mut tell: impl FnMut(R, &mut C),
) -> Result<(), CapacityError> {
    // What limits memory here is that nothing is spawned without room.
    let threads = capacity.threads(0)?;
    let (sender, receiver) = mpsc::channel();
    let mut finished: BTreeMap<usize, R> = BTreeMap::new();
    let mut next = 0usize;
    threads.in_place_scope(|scope| {
        let work = &work;
        let mut running = Running::default();
        let mut finish = |running: &mut Running, cx: &mut C| {
            let Ok((position, bytes, result)) = receiver.recv() else {
                return;
            };
            running.jobs = running.jobs.saturating_sub(1);
            running.bytes = running.bytes.saturating_sub(bytes);
            match result {
                Ok(result) => finished.insert(position, result),
                Err(panic) => resume_unwind(panic),
            };
            while let Some(result) = finished.remove(&next) {
                tell(result, cx);
                next = next.saturating_add(1);
            }
        };
        for (position, item) in items.iter().enumerate() {
            let job = prepare(item, cx);
            let bytes = job.bytes();
            while running.is_full(capacity, bytes) {
                finish(&mut running, cx);
            }
            running.jobs = running.jobs.saturating_add(1);
            running.bytes = running.bytes.saturating_add(bytes);
            let sender = sender.clone();
            scope.spawn(move |_| {
                // A job that panics is an answer too: without one the loop above would wait for ever.
                let result = catch_unwind(AssertUnwindSafe(|| work(job)));
                // The receiver is gone when another job has panicked: nobody waits for this one.
                let _ = sender.send((position, bytes, result));
            });
        }
        while running.jobs > 0 {
            finish(&mut running, cx);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    struct Need(usize, u64);

    impl Job for Need {
        fn bytes(&self) -> u64 {
            self.1
        }
    }

    /// The most jobs, and the most bytes, that were under way at one time.
    fn peaks(capacity: Capacity, needs: &[u64]) -> (u64, u64) {
        let (jobs, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let peaks = Mutex::new((0, 0));
        let mut told = Vec::new();
        let items: Vec<usize> = (0..needs.len()).collect();
        in_order(
            capacity,
            &items,
            &mut (),
            |item, ()| Need(*item, needs[*item]),
            |Need(item, need)| {
                let now = (
                    jobs.fetch_add(1, Ordering::SeqCst).saturating_add(1),
                    bytes.fetch_add(need, Ordering::SeqCst).saturating_add(need),
                );
                {
                    let mut peaks = peaks.lock().unwrap();
                    *peaks = (peaks.0.max(now.0), peaks.1.max(now.1));
                }
                // Later ones are done before earlier ones.
                std::thread::sleep(Duration::from_millis([12, 9, 7, 6][item % 4]));
                bytes.fetch_sub(need, Ordering::SeqCst);
                jobs.fetch_sub(1, Ordering::SeqCst);
                item
            },
            |item, ()| told.push(item),
        )
        .unwrap();
        assert_eq!(told, items);
        peaks.into_inner().unwrap()
    }

    #[test]
    fn neither_cores_nor_memory_are_exceeded_and_all_are_used() {
        let equal = [10; 12];
        assert_eq!(peaks(Capacity::chosen(1, 1000), &equal), (1, 10));
        assert_eq!(peaks(Capacity::chosen(4, 1000), &equal), (4, 40));
        assert_eq!(peaks(Capacity::chosen(4, 29), &equal), (2, 20));
        assert_eq!(peaks(Capacity::chosen(4, 10), &equal), (1, 10));
        assert_eq!(peaks(Capacity::chosen(3, 10), &[0; 12]), (3, 0));
        let mixed: Vec<u64> = (0..30).map(|n| [5, 40, 0, 25][n % 4]).collect();
        let (jobs, bytes) = peaks(Capacity::chosen(4, 60), &mixed);
        assert!((2..=4).contains(&jobs) && bytes <= 60, "{jobs} {bytes}");
        assert_eq!(peaks(Capacity::chosen(4, 60), &[]), (0, 0));
    }

    #[test]
    fn a_job_that_panics_ends_everything_and_hangs_nothing() {
        let run = || {
            in_order(
                Capacity::chosen(2, 10),
                &[0, 1, 2, 3],
                &mut (),
                |item, ()| Need(*item, 1),
                |Need(item, _)| assert_ne!(item, 1, "planted"),
                |(), ()| {},
            )
        };
        catch_unwind(run).unwrap_err();
    }
}
