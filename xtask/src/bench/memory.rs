//! The appliance's memory on models of different sizes: it must not grow with them.

use serde::Serialize;

use super::side::{Bench, Side};
use super::size::Size;
use super::workloads::OURS;
use super::{data, scene::Scene};
use crate::failure::Failure;
use oms_testkit::files;

/// Bytes that the appliance may have, whatever the model's size.
pub(super) const LIMIT: u64 = 192 << 20;
/// Bytes of the smaller model.
const SMALLER: u64 = 1 << 30;
/// Bytes of a shard.
const SHARD: &str = "67108864";

/// What a model of one size took.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peak {
    /// Bytes of the model.
    pub(super) model_bytes: u64,
    /// The largest resident set in bytes.
    pub(super) peak_bytes: u64,
    /// Seconds from start to end.
    pub(super) seconds: f64,
}

/// Verifies two models of one file in shards. The files are holes, which the kernel reads as
/// zeros: every byte is read and hashed, and the disk needs no room for it.
pub(super) fn run(bench: &Bench<'_>) -> Result<Vec<Peak>, Failure> {
    let largest = bench.options.memory_size;
    let mut sizes = vec![Size(SMALLER.min(largest.0)), largest];
    sizes.dedup();
    sizes.into_iter().map(|size| peak(bench, size)).collect()
}

fn peak(bench: &Bench<'_>, size: Size) -> Result<Peak, Failure> {
    let dir = bench.folder.make("memory")?;
    let scene = Scene::new(dir.path(), "");
    let model = files::folder(dir.path().join("model"));
    let file = model.join("model.safetensors");
    data::sparse_file(&file, size.0)?;
    let bundle = scene.sign(bench, &model, &["--shard-size", SHARD])?;
    let side = Side::that_refuses(OURS, scene.verify(bench, &model, &bundle));
    let ran = side.watched()?;
    oms_testkit::model::flip_bit(&file, size.0 / 2);
    side.notices(&file, size.0 / 2, &ran.stdout)?;
    let none = || Failure::Bench { what: "the memory of a process cannot be seen".to_owned() };
    Ok(Peak {
        model_bytes: size.0,
        peak_bytes: ran.peak.ok_or_else(none)?.most(),
        seconds: ran.seconds,
    })
}
