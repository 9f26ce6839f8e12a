//! The options of every command that reads a model: with which means.

use crate::intake::{Memory, Reader, Settings};

#[derive(clap::Args)]
pub(super) struct ReadingArgs {
    /// How files are read: auto, io-uring or threads [default: auto, which is io_uring where the
    /// kernel offers it]
    #[arg(long, value_name = "R")]
    reader: Option<Reader>,
    /// Memory for the buffers of all workers together, from 4MiB to 16GiB [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Memory>,
}

impl ReadingArgs {
    /// These options where they are given, else those of `configured`.
    pub(super) fn settings(&self, configured: Settings) -> Settings {
        Settings {
            memory: self.memory.unwrap_or(configured.memory),
            reader: self.reader.unwrap_or(configured.reader),
        }
    }
}
