//! The options of every command that reads a model: with which means, and how it is watched.

use oms_verify::policy::MediaRules;
use oms_verify::reason::{Code, Reason};

use crate::cancel::Cancel;
use crate::intake::{Memory, Reader, Reading, Settings};
use crate::progress::{Display, Progress};

#[derive(clap::Args)]
pub(super) struct ReadingArgs {
    /// How files are read: auto, io-uring or threads [default: auto, which is io_uring where the
    /// kernel offers it]
    #[arg(long, value_name = "R")]
    reader: Option<Reader>,
    /// Memory for the buffers of all workers together, from 4MiB to 16GiB [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Memory>,
    /// How progress is shown on standard error: auto (a bar on a terminal), bar, json (an object a
    /// line) or none
    #[arg(long, value_name = "P", default_value = "auto")]
    progress: Display,
}

impl ReadingArgs {
    /// These options where they are given, else those of `configured`.
    pub(super) fn settings(&self, configured: Settings) -> Settings {
        Settings {
            memory: self.memory.unwrap_or(configured.memory),
            reader: self.reader.unwrap_or(configured.reader),
        }
    }

    /// Catches the signals that cancel: from here on they end the command in order.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub(super) fn watch(&self) -> Result<Watch, Reason> {
        let cancel = Cancel::on_signals().map_err(|error| {
            Reason::new(Code::IntakeResources, format!("signals cannot be caught: {error}"))
        })?;
        Ok(Watch { cancel, display: self.progress })
    }
}

/// How a command is watched while it reads.
pub(super) struct Watch {
    pub(super) cancel: Cancel,
    display: Display,
}

impl Watch {
    /// Progress that nobody sees, of what comes before a model is read.
    pub(super) fn unseen(&self) -> Progress {
        Progress::new("", Display::None, &self.cancel)
    }

    /// Progress that is shown under this label.
    pub(super) fn progress(&self, label: &str) -> Progress {
        Progress::new(label, self.display, &self.cancel)
    }
}

/// The reading of a model without a policy or a station's configuration.
pub(super) fn plain<'a>(args: &ReadingArgs, progress: &'a Progress) -> Reading<'a> {
    let settings = args.settings(Settings::default());
    Reading { settings, rules: MediaRules::default(), progress }
}
