//! What a verdict from the first bytes costs.
#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "../../crates/transire-core/tests/support/examples.rs"]
mod listed;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use listed::{Example, examples};
use transire_benches::{MTTY_HEADER, profile, sealed, target};
use transire_core::early::{Early, judge_first};
use transire_core::gate::Input;
use transire_core::judge::judge;
use transire_core::sealed::Digest;
use transire_core::vendors::VENDORS;
use transire_core::verdict::{Outcome, Verdict};

fn verdicts(criterion: &mut Criterion) {
    let target = target();
    let first = |bytes: &[u8]| {
        let mut verdict = Verdict::new();
        judge_first(VENDORS, Some(&target), None, (black_box(bytes), false), None, &mut verdict, &mut |_| {});
        verdict.outcome()
    };
    let mut native = [0; 4096];
    native[..24].copy_from_slice(&MTTY_HEADER);
    let envelope = sealed(&[0; 4096], Digest::Blake3);
    let mut group = criterion.benchmark_group("verdict");
    assert_eq!(first(&native), Outcome::Compatible);
    group.bench_function("mtty header", |bencher| bencher.iter(|| first(&native)));
    assert_eq!(first(&envelope), Outcome::Compatible);
    group.bench_function("sealed header, 12 attributes", |bencher| bencher.iter(|| first(&envelope)));
    assert_eq!(first(&[0xff; 64]), Outcome::Unrecognized);
    group.bench_function("wrong magic", |bencher| bencher.iter(|| first(&[0xff; 64])));
    let source = profile();
    group.bench_function("profile, 12 attributes", |bencher| {
        bencher.iter(|| {
            let mut verdict = Verdict::new();
            judge(black_box(&source), &target, None, &mut verdict);
            verdict.outcome()
        });
    });
    group.finish();
}

/// Of each format the first example that has a target and passes, and the one that is refused for the most reasons: what
/// their first bytes are judged in.
fn formats(criterion: &mut Criterion) {
    for (group, is_refused) in [("verdict of a format", false), ("refusal of a format", true)] {
        let mut group = criterion.benchmark_group(group);
        let mut chosen: Vec<(&str, usize, Example)> = Vec::new();
        for example in examples().into_iter().filter(|example| example.target.is_some()) {
            let mut verdict = Verdict::new();
            let Early::Judged { format: Some(format), .. } = first(&example, &mut verdict) else { continue };
            if is_refused != (verdict.outcome() != Outcome::Compatible) {
                continue;
            }
            let reasons = verdict.reasons().len();
            match chosen.iter_mut().find(|(name, ..)| *name == format.name) {
                None => chosen.push((format.name, reasons, example)),
                Some(before) if is_refused && before.1 < reasons => *before = (format.name, reasons, example),
                Some(_) => {}
            }
        }
        for (name, _, example) in chosen {
            // As a caller does who judges many: the room for the reasons is made once.
            let mut verdict = Verdict::with_room();
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    verdict.clear();
                    first(&example, &mut verdict);
                    verdict.outcome()
                });
            });
        }
        group.finish();
    }
}

/// Judges the first bytes of an example.
fn first(example: &Example, verdict: &mut Verdict) -> Early {
    let forced = match example.options.input {
        Input::Format(format, choices) => Some((format, choices)),
        _ => None,
    };
    let prefix = (black_box(&example.input[..]), false);
    judge_first(VENDORS, example.target.as_deref(), forced, prefix, None, verdict, &mut |_| {})
}

criterion_group!(benches, verdicts, formats);
criterion_main!(benches);
