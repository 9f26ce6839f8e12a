//! What is true: the files and folders of a file system in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Files and folders. A node's number is its place plus one, so that the top is 1, as FUSE wants.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// A file or a folder.
#[derive(Debug)]
pub(super) struct Node {
    /// Its path from the top, which is empty for the top itself.
    pub(super) path: String,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    File(Vec<u8>),
    Folder(BTreeMap<String, u64>),
}

impl Tree {
    /// All files and folders in `folder`, as they are now.
    ///
    /// # Panics
    /// When one cannot be read.
    pub fn of(folder: &Path) -> Tree {
        let mut tree = Tree::default();
        tree.add(folder, "");
        tree
    }

    fn add(&mut self, from: &Path, path: &str) -> u64 {
        let place = self.nodes.len();
        self.nodes.push(Node { path: path.to_owned(), content: Content::Folder(BTreeMap::new()) });
        self.nodes[place].content = if from.is_dir() {
            let mut names: Vec<_> =
                fs::read_dir(from).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            let children = names.into_iter().map(|name| {
                let name = name.into_string().unwrap();
                let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                let number = self.add(&from.join(&name), &below);
                (name, number)
            });
            Content::Folder(children.collect())
        } else {
            Content::File(fs::read(from).unwrap())
        };
        place as u64 + 1
    }

    /// The node with this number.
    pub(super) fn node(&self, number: u64) -> Option<&Node> {
        self.nodes.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// The paths of all files, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.nodes.iter().filter_map(|node| match &node.content {
            Content::File(bytes) => Some((node.path.as_str(), bytes.as_slice())),
            Content::Folder(_) => None,
        })
    }

    /// The bytes of a file.
    ///
    /// # Panics
    /// When there is none at the path.
    pub fn bytes(&self, path: &str) -> &[u8] {
        let file = self.files().find(|(file, _)| *file == path);
        file.unwrap_or_else(|| panic!("no file {path}")).1
    }
}
