//! The speed of each SHA-256 kernel by itself, and of the choice among them.
//!
//! Streams lie one after another in memory from page to page, as the buffers of the intake do.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use oms_sys::sha256::{Job, Kernel, Lanes, Sha256};

/// Bytes of each stream that one call absorbs.
const CHUNKS: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// The chunk for the benches that vary something else.
const CHUNK: usize = 64 << 10;

const PAGE: usize = 4096;

const KERNELS: [Kernel; 5] =
    [Kernel::Avx512x16, Kernel::Avx2x8, Kernel::ShaNix2, Kernel::Single, Kernel::Assembly];

/// Each kernel with all its lanes busy, for each size of a chunk.
fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    for kernel in KERNELS {
        let Some(lanes) = Lanes::only(kernel) else {
            eprintln!("this machine cannot run {}", kernel.name());
            continue;
        };
        for chunk in CHUNKS {
            let mut work = Work::new(&lanes, kernel.streams(), chunk);
            group.throughput(Throughput::Bytes(work.bytes()));
            group.bench_function(BenchmarkId::new(kernel.name(), chunk), |bencher| {
                bencher.iter(|| work.run(&lanes));
            });
        }
    }
    group.finish();
}

/// One to sixteen streams through what this machine chooses.
fn streams(criterion: &mut Criterion) {
    let Ok(lanes) = Lanes::of_this_machine() else {
        eprintln!("this machine cannot hash");
        return;
    };
    let mut group = criterion.benchmark_group("streams");
    for count in 1..=16 {
        let mut work = Work::new(lanes, count, CHUNK);
        group.throughput(Throughput::Bytes(work.bytes()));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| work.run(lanes));
        });
    }
    group.finish();
}

/// One stream through the `sha2` crate alone, to compare with.
fn sha2(criterion: &mut Criterion) {
    use sha2::Digest;
    let mut group = criterion.benchmark_group("sha2");
    for chunk in CHUNKS {
        let bytes = vec![0x5a; chunk];
        let mut stream = sha2::Sha256::new();
        group.throughput(Throughput::Bytes(chunk as u64));
        group.bench_function(BenchmarkId::from_parameter(chunk), |bencher| {
            bencher.iter(|| stream.update(black_box(&bytes)));
        });
    }
    group.finish();
}

/// Many streams of one page each, from first byte to digest.
fn small_files(criterion: &mut Criterion) {
    let Ok(lanes) = Lanes::of_this_machine() else { return };
    let mut group = criterion.benchmark_group("small-files");
    for count in [1, 16, 64] {
        let files = vec![0x5a; count * PAGE];
        group.throughput(Throughput::Bytes(files.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                let mut streams = vec![lanes.start(); count];
                let jobs = streams.iter_mut().zip(files.chunks(PAGE));
                lanes.update(
                    &mut jobs.map(|(state, bytes)| Job { state, bytes }).collect::<Vec<_>>(),
                );
                lanes.finish(streams)
            });
        });
    }
    group.finish();
}

/// Streams and what they absorb again and again.
struct Work {
    streams: Vec<Sha256>,
    arena: Vec<u8>,
    /// Where the first page of the arena begins.
    start: usize,
    chunk: usize,
}

impl Work {
    fn new(lanes: &Lanes, count: usize, chunk: usize) -> Work {
        let arena = vec![0x5a; count * chunk + PAGE];
        let start = arena.as_ptr().align_offset(PAGE);
        Work { streams: vec![lanes.start(); count], arena, start, chunk }
    }

    fn bytes(&self) -> u64 {
        (self.streams.len() * self.chunk) as u64
    }

    fn run(&mut self, lanes: &Lanes) {
        let bytes = self.arena.get(self.start..).unwrap_or_default();
        let jobs = self.streams.iter_mut().zip(black_box(bytes).chunks(self.chunk));
        lanes.update(&mut jobs.map(|(state, bytes)| Job { state, bytes }).collect::<Vec<_>>());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000))
        .sample_size(30);
    targets = kernels, streams, sha2, small_files
}
criterion_main!(benches);
