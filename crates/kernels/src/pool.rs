//! The thread pool.
//!
//! A job is a number of parts. The calling thread takes parts from the front and the workers take
//! them from the back until none is left, so a preempted worker delays nobody: the caller computes
//! its part. In successive products a thread thus gets the same rows or columns, which are still in
//! its cache. Results must not depend on which thread computes a part. An idle worker spins for a
//! few microseconds, then yields, then sleeps.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, TryLockError};
use std::thread::{self, Thread};

/// Polls of an idle worker: spinning, then yielding, before it sleeps.
const SPINS: u32 = 2_000;
const YIELDS: u32 = 200;

/// The largest number of threads; two parts for each must fit in 16 bits.
const MOST: usize = 1 << 14;

thread_local! {
    /// The number of threads for work of this thread, itself included; 0 means all cores.
    static THREADS: Cell<usize> = const { Cell::new(0) };
    /// The number of this worker, from 1; 0 for a thread of the program.
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work` with at most `threads` threads, this one included, in all kernels that it calls. 0
/// means 1. Outside such a call the kernels use all cores. The results have the same bits for any
/// number of threads.
///
/// ```
/// use geartrain_kernels::{matmul, with_threads};
/// use ndarray::Array2;
///
/// let (a, b) = (Array2::<f32>::ones((500, 3)), Array2::ones((3, 300)));
/// let product = |threads| {
///     let mut c = Array2::zeros((500, 300));
///     with_threads(threads, || matmul(a.view(), b.view(), c.view_mut()));
///     c
/// };
/// assert_eq!(product(1), product(3));
/// ```
pub fn with_threads<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    /// Restores the number, also when `work` panics.
    struct Before(usize);
    impl Drop for Before {
        fn drop(&mut self) {
            THREADS.set(self.0);
        }
    }
    let _before = Before(THREADS.replace(threads.clamp(1, MOST)));
    work()
}

/// The number of threads for work of this thread: that of [`with_threads`], or else the number of
/// cores.
pub fn threads() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    match THREADS.get() {
        0 => *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from)),
        threads => threads,
    }
}

/// Runs `work(part, thread)` for every part, on the threads of this call. The kernels that `work`
/// calls run on one thread. `thread` is 0 on the calling thread and otherwise the number of a
/// worker, so that `work` can choose memory that is still in this core's cache; on a caller that is
/// a worker itself, it is not 0.
///
/// # Panics
/// If `work` panics in any part: with the same payload, after all parts have ended.
pub fn in_parallel<W: Fn(usize, usize) + Sync>(parts: usize, work: W) {
    if parts > 0 {
        share(parts, move |part| with_threads(1, || work(part, WORKER.get())));
    }
}

/// Runs `work(i)` once on each of `threads` threads, at most those of this call, for work that
/// prepares a thread. If the workers are busy with a job of another thread, only `work(0)` runs.
///
/// # Panics
/// As [`in_parallel`].
pub fn on_each_thread<W: Fn(usize) + Sync>(most: usize, work: W) {
    let (parts, taken) = (AtomicUsize::new(1), AtomicUsize::new(0));
    let count = |helpers: usize| {
        parts.store(helpers + 1, Ordering::Relaxed);
        helpers + 1
    };
    submit(most.min(threads()).max(1), count, |part| {
        // A thread that waits for the others cannot take a second part.
        taken.fetch_add(1, Ordering::Relaxed);
        while taken.load(Ordering::Relaxed) < parts.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        with_threads(1, || work(part));
    });
}

/// Runs `work` for every part, on the workers as well unless they are busy with a job of another
/// thread.
///
/// Moving a cache line between cores costs 0.1 µs or more. Values captured by `work` travel with
/// the job; borrowed ones cost another transfer.
///
/// # Panics
/// If `work` panics in any part: with the same payload, after all parts have ended.
pub(super) fn share<W: Fn(usize) + Sync>(parts: usize, work: W) {
    submit(parts.min(threads()), |_| parts, work);
}

/// [`share`] with at most `threads` threads and a number of parts that may depend on the number of
/// workers.
fn submit<W: Fn(usize) + Sync>(threads: usize, parts: impl FnOnce(usize) -> usize, work: W) {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(Pool::default);
    let mut team = match pool.team.try_lock() {
        Ok(team) => team,
        Err(TryLockError::Poisoned(team)) => team.into_inner(),
        Err(TryLockError::WouldBlock) => return (0..parts(0)).for_each(work),
    };
    let helpers = team.hire(&pool.board, threads - 1);
    let parts = parts(helpers);
    if helpers == 0 {
        drop(team);
        return (0..parts).for_each(work);
    }
    let job = Job { run: Job::<W>::run, work };
    // SAFETY: the job lives on this stack frame until `lead` returns.
    unsafe { team.lead(&pool.board, (&raw const job).cast(), parts, helpers) };
    let panic = pool.board.panic.lock().unwrap_or_else(|poison| poison.into_inner()).take();
    drop(team);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

#[derive(Default)]
struct Pool {
    board: Arc<Board>,
    /// Locked by the submitting thread.
    team: Mutex<Team>,
}

/// A type-erased job on the submitting thread's stack; it carries its own vtable.
#[repr(C, align(64))]
struct Job<W = ()> {
    /// # Safety
    /// The argument must be this job.
    run: unsafe fn(*const Job, usize),
    work: W,
}

impl<W: Fn(usize)> Job<W> {
    /// # Safety
    /// `job` must be a `Job<W>`.
    unsafe fn run(job: *const Job, part: usize) {
        // SAFETY: the caller guarantees the type.
        unsafe { ((*job.cast::<Job<W>>()).work)(part) }
    }
}

/// The workers.
#[derive(Default)]
struct Team {
    workers: Vec<Worker>,
    /// Parts run by workers in all jobs so far.
    done: u32,
}

struct Worker {
    thread: Thread,
    state: Arc<State>,
}

/// The state that a worker publishes, on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct State {
    asleep: AtomicBool,
    /// Parts run so far.
    done: AtomicU32,
}

impl Team {
    /// Spawns workers up to `wanted` and returns how many of them exist; fewer if the system
    /// refuses. Waits until a new thread runs, because it allocates when it starts.
    fn hire(&mut self, board: &Arc<Board>, wanted: usize) -> usize {
        while self.workers.len() < wanted {
            let (board, state) = (Arc::clone(board), Arc::new(State::default()));
            let (own, number) = (Arc::clone(&state), self.workers.len() + 1);
            let started = Arc::new(Barrier::new(2));
            let arrived = Arc::clone(&started);
            let serve = move || {
                arrived.wait();
                WORKER.set(number);
                board.serve(&own);
            };
            let name = "geartrain worker".to_string();
            let Ok(handle) = thread::Builder::new().name(name).spawn(serve) else { break };
            started.wait();
            self.workers.push(Worker { thread: handle.thread().clone(), state });
        }
        self.workers.len().min(wanted)
    }

    /// Runs the job with the first `helpers` workers and waits until all parts are done.
    ///
    /// # Safety
    /// `job` must be valid for concurrent use until this returns.
    unsafe fn lead(&mut self, board: &Board, job: *const Job, parts: usize, helpers: usize) {
        board.publish(job, parts);
        for Worker { thread, state } in &self.workers[..helpers] {
            // A worker that falls asleep right now can miss this job, which only costs time.
            if state.asleep.load(Ordering::Relaxed) && state.asleep.swap(false, Ordering::SeqCst) {
                thread.unpark();
            }
        }
        let mut own = 0;
        let mut next = Some(0);
        while let Some(part) = next {
            // SAFETY: a part of this job; the lock on the team excludes other jobs.
            unsafe { board.run(job, part) };
            own += 1;
            next = board.take(true);
        }
        self.done = self.done.wrapping_add((parts - own) as u32);
        let done = |sum: u32, worker: &Worker| sum.wrapping_add(worker.state.done.load(Ordering::Acquire));
        let mut looks = 0_u32;
        while self.workers.iter().fold(0, done) != self.done {
            looks = looks.saturating_add(1);
            if looks < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

/// The job on offer, in one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Board {
    /// The number of the job (32 bits), and the end and start of the parts left (16 bits each). The
    /// number keeps a delayed thread from taking a part of a finished job.
    ticket: AtomicU64,
    /// The job of this number, valid for a thread that holds an unfinished part.
    job: AtomicPtr<Job>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Board {
    /// Offers all parts but the first.
    fn publish(&self, job: *const Job, parts: usize) {
        self.job.store(job.cast_mut(), Ordering::Relaxed);
        let number = (self.ticket.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.ticket.store(number << 32 | (parts as u64) << 16 | 1, Ordering::Release);
    }

    /// Whether a part may be left.
    fn offers(&self) -> bool {
        has_part(self.ticket.load(Ordering::SeqCst))
    }

    /// Takes the first or the last part that is left.
    fn take(&self, first: bool) -> Option<usize> {
        let mut ticket = self.ticket.load(Ordering::Relaxed);
        while has_part(ticket) {
            let left = if first { ticket + 1 } else { ticket - (1 << 16) };
            match self.ticket.compare_exchange_weak(ticket, left, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some((if first { ticket } else { (ticket >> 16) - 1 } & 0xffff) as usize),
                Err(now) => ticket = now,
            }
        }
        None
    }

    /// Runs a taken part and stores its panic.
    ///
    /// # Safety
    /// The part must belong to `job`.
    unsafe fn run(&self, job: *const Job, part: usize) {
        // SAFETY: the submitting thread waits until this part is done.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| unsafe { ((*job).run)(job, part) })) {
            *self.panic.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(panic);
        }
    }

    /// The loop of a worker.
    fn serve(&self, state: &State) {
        // Nested jobs run on this thread alone.
        THREADS.set(1);
        let mut looks = 0;
        loop {
            if self.offers() {
                if let Some(part) = self.take(false) {
                    // SAFETY: the job was stored before the part was offered and lives until the
                    // part is done.
                    unsafe { self.run(self.job.load(Ordering::Relaxed), part) };
                    state.done.store(state.done.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
                }
                looks = 0;
                continue;
            }
            looks += 1;
            if looks < SPINS {
                std::hint::spin_loop();
            } else if looks < SPINS + YIELDS {
                thread::yield_now();
            } else {
                state.asleep.store(true, Ordering::SeqCst);
                while state.asleep.load(Ordering::SeqCst) && !self.offers() {
                    thread::park();
                }
                state.asleep.store(false, Ordering::SeqCst);
                looks = 0;
            }
        }
    }
}

fn has_part(ticket: u64) -> bool {
    ticket & 0xffff < ticket >> 16 & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once() {
        for parts in [1, 2, 3, 8, 100] {
            for _ in 0..200 {
                let runs: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                share(parts, |part| {
                    runs[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1), "{runs:?}");
            }
        }
    }

    #[test]
    fn many_callers_at_once_and_jobs_inside_jobs() {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let sum = AtomicUsize::new(0);
                        share(3, |i| {
                            share(2, |j| {
                                sum.fetch_add(10 * i + j, Ordering::Relaxed);
                            });
                        });
                        assert_eq!(sum.into_inner(), 2 * 30 + 3);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_propagates_and_the_pool_survives() {
        for bad in 0..3 {
            let result = catch_unwind(|| share(3, |part| assert!(part != bad, "part {part} on purpose")));
            let message = *result.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("part {bad} on purpose"));
        }
        every_part_runs_once();
    }

    #[test]
    fn each_thread_prepares_and_parts_run_on_one_thread() {
        with_threads(3, || {
            let runs = [const { AtomicUsize::new(0) }; 3];
            on_each_thread(3, |thread| {
                runs[thread].fetch_add(1, Ordering::Relaxed);
            });
            // One run if another test has the workers.
            let runs = runs.map(AtomicUsize::into_inner);
            assert!(runs == [1; 3] || runs == [1, 0, 0], "{runs:?}");
            let sum = AtomicUsize::new(0);
            in_parallel(100, |part, _| {
                assert_eq!(threads(), 1);
                sum.fetch_add(part, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 4950);
        });
        in_parallel(0, |_, _| panic!("no part"));
    }

    #[test]
    fn sleeping_workers_wake_up() {
        share(2, |_| ());
        thread::sleep(std::time::Duration::from_millis(50));
        every_part_runs_once();
    }

    #[test]
    fn the_number_of_threads_is_restored() {
        let before = threads();
        assert_eq!(with_threads(0, threads), 1);
        assert_eq!(with_threads(3, || with_threads(5, threads) + threads()), 8);
        assert!(catch_unwind(|| with_threads(7, || panic!("on purpose"))).is_err());
        assert_eq!(threads(), before);
    }
}
