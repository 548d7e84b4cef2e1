//! What whole streams cost, beside a copy of the same bytes.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use transire_benches::{seal, sealed, target};
use transire_core::gate::{Gate, Options, Output};
use transire_core::sealed::Digest;
use transire_core::vendors::VENDORS;

const SIZES: [usize; 4] = [4 << 10, 64 << 10, 1 << 20, 64 << 20];

fn whole_streams(criterion: &mut Criterion) {
    let target = target();
    let mut group = criterion.benchmark_group("stream");
    group.sample_size(10);
    for size in SIZES {
        let payload = vec![0xa5; size];
        group.throughput(Throughput::Bytes(u64::try_from(size).unwrap_or(u64::MAX)));
        let mut copy = vec![0; size];
        group.bench_function(BenchmarkId::new("memcpy", size), |bencher| {
            bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&payload)));
        });
        for (name, digest) in [("none", Digest::None), ("blake3", Digest::Blake3)] {
            let stream = sealed(&payload, digest);
            group.bench_function(BenchmarkId::new(format!("gate, {name}"), size), |bencher| {
                bencher.iter(|| {
                    let mut gate = Gate::new(VENDORS, Some(target.clone()), Options::default());
                    let (mut rest, mut delivered) = (stream.as_slice(), 0);
                    loop {
                        let step = gate.step(rest, true);
                        let used = step.used;
                        match step.event {
                            Output::Deliver(bytes) => delivered += black_box(bytes).len(),
                            Output::Finished => break,
                            _ => {}
                        }
                        rest = &rest[used..];
                    }
                    assert!(gate.is_complete() && delivered == size);
                });
            });
            group.bench_function(BenchmarkId::new(format!("seal, {name}"), size), |bencher| {
                bencher.iter(|| {
                    let mut written = 0;
                    seal(&payload, digest, &mut |bytes| written += black_box(bytes).len());
                    written
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, whole_streams);
criterion_main!(benches);
