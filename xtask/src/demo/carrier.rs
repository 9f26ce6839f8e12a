//! A folder that stands for a mounted carrier.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use oms_testkit::{files, model};

use crate::failure::Failure;

/// A carrier with one model and its bundle.
pub(super) struct Carrier {
    dir: PathBuf,
    model: PathBuf,
}

impl Carrier {
    /// Copies a model onto a carrier: a folder with its bundle in it, or a file with its bundle
    /// beside it.
    pub(super) fn load(dir: &Path, model: &Path, bundle: &Path) -> Result<Carrier, Failure> {
        let dir = files::folder(dir);
        let no_model = |problem| Failure::DemoModel { path: model.to_owned(), problem };
        let name = model.file_name().ok_or_else(|| no_model("has no name"))?;
        let target = dir.join(name);
        if model.is_dir() {
            copy_folder(model, &target)?;
            copy(bundle, &target.join(super::BUNDLE))?;
        } else if model.is_file() {
            copy(model, &target)?;
            let name = name.to_str().ok_or_else(|| no_model("has a name that is not UTF-8"))?;
            copy(bundle, &dir.join(format!("{name}.sig")))?;
        } else {
            return Err(no_model("is neither a folder nor a file"));
        }
        Ok(Carrier { dir, model: target })
    }

    /// The folder to ingest.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Flips a bit in the later part of the model's largest file: in its weights. Gives the file
    /// and the offset.
    pub(super) fn flip_one_bit(&self) -> Result<(PathBuf, u64), Failure> {
        let mut largest = (0, self.model.clone());
        walk(&self.model, &mut |path| {
            let length = path.symlink_metadata().map_or(0, |metadata| metadata.len());
            let is_bundle = path.extension().is_some_and(|extension| extension == "sig");
            if length > largest.0 && !is_bundle && !path.is_symlink() {
                largest = (length, path.to_owned());
            }
        })?;
        let (length, file) = largest;
        if length == 0 {
            return Err(Failure::DemoModel { path: file, problem: "has no byte to flip a bit of" });
        }
        let offset = length - length.div_ceil(4);
        model::flip_bit(&file, offset);
        Ok((file, offset))
    }
}

/// Copies a model's folder into `dir`, without the bundle at its top.
pub(super) fn copy_unsigned(model: &Path, dir: &Path) -> Result<PathBuf, Failure> {
    let target = files::folder(dir).join(model.file_name().unwrap_or("model".as_ref()));
    copy_folder(model, &target)?;
    let bundle = target.join(super::BUNDLE);
    fs::remove_file(&bundle).map_err(|source| Failure::Write { path: bundle, source })?;
    Ok(target)
}

/// The files below a folder with their sizes, in order.
pub(super) fn contents(dir: &Path) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    walk(dir, &mut |path| {
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        let name = path.strip_prefix(dir).unwrap_or(path).display();
        lines.push(format!("{name} ({length} bytes)"));
    })?;
    lines.sort();
    Ok(lines)
}

/// Calls `visit` for each file at or below `path`.
fn walk(path: &Path, visit: &mut impl FnMut(&Path)) -> Result<(), Failure> {
    if path.is_symlink() || !path.is_dir() {
        visit(path);
        return Ok(());
    }
    let error = |source| Failure::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(path).map_err(error)? {
        walk(&entry.map_err(error)?.path(), visit)?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    files::folder(to);
    let error = |source| Failure::Read { path: from.to_owned(), source };
    for entry in fs::read_dir(from).map_err(error)? {
        let entry = entry.map_err(error)?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(error)?.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            copy(&from, &to)?;
        }
    }
    Ok(())
}

/// Copies a file, or a link as the link that it is, so that its owner may change it.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::Write { path: to.to_owned(), source };
    if from.is_symlink() {
        return fs::read_link(from).and_then(|target| symlink(target, to)).map_err(failed);
    }
    let writable = |_| fs::set_permissions(to, fs::Permissions::from_mode(0o644));
    fs::copy(from, to).and_then(writable).map_err(failed)
}
