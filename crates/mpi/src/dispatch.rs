//! Sweeps: rank 0 hands out jobs as ranks become free.
//!
//! Every rank, rank 0 as well, has one or more threads that compute, and its main thread talks to
//! rank 0. A worker sends a sign of life every second. A rank that has been silent for
//! [`SILENCE`] is given no more jobs, and its jobs go to others; if it speaks again, it takes part
//! again, and a row that comes twice is the same row.
//!
//! MPI ends all ranks when one dies, unless it is started with `mpirun --enable-recovery`. In both
//! cases the file of results keeps every row, and the same command continues the sweep.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use geartrain_cli::sweep::{Results, Sweep};
use geartrain_cli::{Failure, Outcome};
use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Source};

use crate::team::Team;

/// How long a rank may be silent.
const SILENCE: Duration = Duration::from_secs(8);
/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// Time between two looks for messages.
const PAUSE: Duration = Duration::from_millis(2);

/// Kinds of messages, as tags. From a worker: a thread is free; a row; an error; a sign of life.
const FREE: i32 = 1;
const ROW: i32 = 2;
const FAILED: i32 = 3;
const ALIVE: i32 = 4;
/// From rank 0: a job; the end; ALIVE as an answer.
const JOB: i32 = 5;
const END: i32 = 6;

/// Threads that run jobs.
struct Crew {
    jobs: Sender<usize>,
    done: Receiver<(usize, Outcome<Option<String>>)>,
}

/// The state of a rank, as known to rank 0.
struct Member {
    /// Threads without a job.
    free: usize,
    /// Jobs that it has not returned.
    running: Vec<usize>,
    heard: Instant,
    silent: bool,
}

/// Runs the sweep on all ranks of `team`. Rank 0 opens and finishes the file of results.
///
/// # Errors
/// On rank 0, those of [`Sweep`] and [`Results`]; on another rank, if rank 0 is silent.
pub fn run(team: &Team, sweep: &Sweep<'_>, stop: &Arc<AtomicBool>) -> Outcome {
    let opened = if team.rank() == 0 { sweep.open().map(Some) } else { Ok(None) };
    let message = |failure: &Failure| failure.message().unwrap_or("interrupted").to_string();
    let agreed = team.agree(opened.as_ref().map(drop).map_err(message));
    let results = match (opened, agreed) {
        (Err(failure), _) => return Err(failure),
        // Rank 0 reports the error.
        (_, Err(_)) => return Err(Failure::Interrupted),
        (Ok(results), Ok(())) => results,
    };
    let threads = sweep.threads().unwrap_or(1);
    thread::scope(|scope| {
        let (jobs, queue) = mpsc::channel::<usize>();
        let (send, done) = mpsc::channel();
        let queue = Arc::new(std::sync::Mutex::new(queue));
        for _ in 0..threads {
            let (queue, send) = (queue.clone(), send.clone());
            scope.spawn(move || {
                loop {
                    let job = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                    let Ok(job) = job else { break };
                    if send.send((job, sweep.run(job, stop))).is_err() {
                        break;
                    }
                }
            });
        }
        let crew = Crew { jobs, done };
        let outcome = match results {
            Some(mut results) => {
                lead(team, crew, threads, &mut results, stop).and_then(|()| sweep.finish(&mut results))
            }
            None => follow(team, crew, threads, stop),
        };
        // Ends the trainings that still run.
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Rank 0: hands out jobs and records rows until none is missing.
fn lead(team: &Team, crew: Crew, threads: usize, results: &mut Results, stop: &Arc<AtomicBool>) -> Outcome {
    let world = team.world();
    let mut queue: VecDeque<usize> = results.pending().into();
    let mut missing: BTreeSet<usize> = queue.iter().copied().collect();
    let member = || Member { free: 0, running: Vec::new(), heard: Instant::now(), silent: false };
    let mut members: Vec<Member> = (0..team.size()).map(|_| member()).collect();
    members[0].free = threads;
    let mut outcome = Ok(());
    while !missing.is_empty() && outcome.is_ok() && !stop.load(Ordering::Relaxed) {
        let mut quiet = true;
        // Rows, from this rank and others.
        let mut rows = Vec::new();
        while let Ok((job, row)) = crew.done.try_recv() {
            members[0].free += 1;
            members[0].running.retain(|&running| running != job);
            match row {
                Ok(row) => rows.extend(row),
                Err(failure) => outcome = Err(failure),
            }
        }
        while let Some((message, status)) = world.any_process().immediate_matched_probe() {
            let (bytes, _) = (message, status).matched_receive_vec::<u8>();
            let (rank, tag) = (status.source_rank() as usize, status.tag());
            let member = &mut members[rank];
            (member.heard, member.silent, quiet) = (Instant::now(), false, false);
            let text = || String::from_utf8_lossy(&bytes).into_owned();
            match tag {
                FREE => member.free += 1,
                ROW => {
                    let row = text();
                    let job = job(&row);
                    member.running.retain(|&running| Some(running) != job);
                    member.free += 1;
                    rows.push(row);
                }
                FAILED => outcome = Err(Failure::other(format!("rank {rank}: {}", text()))),
                _ => world.process_at_rank(rank as i32).send_with_tag(&[0_u8; 0][..], ALIVE),
            }
        }
        for row in rows {
            quiet = false;
            results.record(&row)?;
            job(&row).map(|job| missing.remove(&job));
        }
        // Ranks that have died give their jobs back.
        for (rank, member) in members.iter_mut().enumerate().skip(1) {
            if !member.silent && member.heard.elapsed() > SILENCE {
                geartrain_cli::note(&format!(
                    "rank {rank} has been silent for {} s: others take its jobs",
                    SILENCE.as_secs()
                ));
                member.silent = true;
                member.free = 0;
                member.running.drain(..).for_each(|job| queue.push_front(job));
            }
        }
        for (rank, member) in members.iter_mut().enumerate() {
            while member.free > 0
                && let Some(job) = queue.pop_front()
            {
                member.free -= 1;
                member.running.push(job);
                if rank > 0 {
                    world.process_at_rank(rank as i32).send_with_tag(&(job as u64).to_le_bytes()[..], JOB);
                } else if crew.jobs.send(job).is_err() {
                    outcome = Err(Failure::other("a thread of rank 0 has ended"));
                }
            }
        }
        if quiet {
            thread::sleep(PAUSE);
        }
    }
    for (rank, _) in members.iter().enumerate().skip(1).filter(|(_, member)| !member.silent) {
        world.process_at_rank(rank as i32).send_with_tag(&[0_u8; 0][..], END);
    }
    outcome
}

/// The job of a row.
fn job(row: &str) -> Option<usize> {
    row.split(',').next()?.parse().ok()
}

/// The other ranks: take jobs and return rows until rank 0 says that it is the end.
fn follow(team: &Team, crew: Crew, threads: usize, stop: &Arc<AtomicBool>) -> Outcome {
    let leader = team.world().process_at_rank(0);
    let empty = &[0_u8; 0][..];
    (0..threads).for_each(|_| leader.send_with_tag(empty, FREE));
    let (mut heard, mut beat) = (Instant::now(), Instant::now());
    loop {
        let mut quiet = true;
        while let Some((message, status)) = leader.immediate_matched_probe() {
            let (bytes, _) = (message, status).matched_receive_vec::<u8>();
            (heard, quiet) = (Instant::now(), false);
            match status.tag() {
                JOB => {
                    let job = bytes.try_into().map_or(usize::MAX, |bytes| u64::from_le_bytes(bytes) as usize);
                    if crew.jobs.send(job).is_err() {
                        leader.send_with_tag(&b"its threads have ended"[..], FAILED);
                    }
                }
                END => return Ok(()),
                _ => {}
            }
        }
        while let Ok((_, row)) = crew.done.try_recv() {
            quiet = false;
            match row {
                Ok(Some(row)) => leader.send_with_tag(row.as_bytes(), ROW),
                // Interrupted: rank 0 ends the sweep.
                Ok(None) => {}
                Err(failure) => {
                    let message = failure.message().unwrap_or("interrupted");
                    leader.send_with_tag(message.as_bytes(), FAILED);
                }
            }
        }
        if beat.elapsed() > BEAT {
            leader.send_with_tag(empty, ALIVE);
            beat = Instant::now();
        }
        if heard.elapsed() > 3 * SILENCE {
            stop.store(true, Ordering::Relaxed);
            return Err(Failure::other(format!("rank {}: rank 0 is silent", team.rank())));
        }
        if quiet {
            thread::sleep(PAUSE);
        }
    }
}
