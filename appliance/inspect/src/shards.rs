//! Holds the index of a model against the files that it names.

use std::collections::BTreeMap;

use crate::finding::{Finding, Kind, Link, Place};
use crate::names::{Difference, Names};

/// What one file of the model holds.
struct Held<'a> {
    tensors: &'a Names,
    bytes: u64,
}

/// What is wrong between the indexes and their files, told of the index. Ends at the first index
/// behind `most` findings.
pub(crate) fn findings(
    sizes: &BTreeMap<String, u64>,
    links: &[(String, Vec<Link>)],
    most: usize,
) -> Vec<(String, Finding)> {
    let all = links.iter().flat_map(|(path, links)| links.iter().map(move |link| (path, link)));
    let held: BTreeMap<&str, Held<'_>> = all
        .filter_map(|(path, link)| match link {
            Link::Holds { tensors, bytes } => {
                Some((path.as_str(), Held { tensors, bytes: *bytes }))
            }
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    for (path, links) in links {
        if findings.len() > most {
            break;
        }
        let wrong = index(path, links, sizes, &held);
        findings.extend(wrong.into_iter().map(|finding| (path.clone(), finding)));
    }
    findings
}

/// What is wrong with the index at `path`.
fn index(
    path: &str,
    links: &[Link],
    sizes: &BTreeMap<String, u64>,
    held: &BTreeMap<&str, Held<'_>>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The bytes of the tensors, and those of the files; unknown as soon as one of them is.
    let (mut bytes, mut whole) = (Some(0_u64), Some(0_u64));
    for link in links {
        let Link::Indexes { file, tensors, first } = link else { continue };
        let beside = beside(path, file);
        let Some(&size) = sizes.get(&beside) else {
            let detail = "is named by the index and is not a file of the signed model".to_owned();
            findings.push(finding(file, Place::Tensor(first.clone()), detail));
            (bytes, whole) = (None, None);
            continue;
        };
        // Of a file of another format nobody says which tensors it holds.
        let held = held.get(beside.as_str());
        bytes = bytes.zip(held).and_then(|(sum, held)| sum.checked_add(held.bytes));
        whole = whole.zip(held).and_then(|(sum, _)| sum.checked_add(size));
        findings.extend(held.and_then(|held| differs(file, tensors, held.tensors)));
    }
    let total = links.iter().find_map(|link| match link {
        Link::Total(total) => Some(*total),
        _ => None,
    });
    if let (Some(total), Some(bytes)) = (total, bytes)
        && total != bytes
        && Some(total) != whole
    {
        let detail = format!("the index claims {total} bytes and its files hold {bytes}");
        findings.push(finding("total_size", Place::Key("/metadata/total_size".to_owned()), detail));
    }
    findings
}

/// The path of `file` in the folder of `index`.
fn beside(index: &str, file: &str) -> String {
    match index.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{file}"),
        None => file.to_owned(),
    }
}

fn differs(file: &str, listed: &Names, held: &Names) -> Option<Finding> {
    let (subject, place, detail) = match listed.difference(held)? {
        Difference::First(name) => {
            let detail = format!("is listed for {file:?}, which does not hold it");
            (name.clone(), Place::Tensor(name), detail)
        }
        Difference::Second(name) => {
            let detail = format!("lies in {file:?}, for which the index does not list it");
            (name.clone(), Place::Tensor(name), detail)
        }
        Difference::More => {
            let (listed, held) = (listed.count(), held.count());
            let detail = format!("holds {held} tensors, not the {listed} that the index lists");
            (file.to_owned(), Place::Key("/weight_map".to_owned()), detail)
        }
    };
    Some(finding(&subject, place, detail))
}

fn finding(subject: &str, place: Place, detail: String) -> Finding {
    Finding { kind: Kind::Index, subject: subject.to_owned(), place, detail }
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, safetensors};
    use crate::{Kind, Model};

    /// A file of one byte for each of `names`.
    fn shard(names: &[&str]) -> Vec<u8> {
        let tensors = names.iter().enumerate().map(|(at, name)| {
            format!(r#""{name}":{{"dtype":"U8","shape":[1],"data_offsets":[{at},{}]}}"#, at + 1)
        });
        let tensors: Vec<_> = tensors.collect();
        safetensors(&format!("{{{}}}", tensors.join(",")), names.len())
    }

    /// What is wrong with the files of a model.
    fn wrong(files: &[(&str, Vec<u8>)]) -> Vec<String> {
        let mut model = Model::default();
        for (path, bytes) in files {
            let found = look(bytes);
            assert_eq!(found.malformed, None);
            model.add(path, bytes.len() as u64, found.links);
        }
        let findings = model.findings().into_iter().map(|(path, finding)| {
            assert_eq!(finding.kind, Kind::Index);
            format!("{path}: {}: {} {}", finding.place, finding.subject, finding.detail)
        });
        findings.collect()
    }

    fn index(map: &str, total: &str) -> (&'static str, Vec<u8>) {
        let json = format!(r#"{{"metadata":{{"total_size":{total}}},"weight_map":{map}}}"#);
        ("in/index.json", json.into_bytes())
    }

    const MAP: &str = r#"{"a":"1.st","b":"1.st","c":"2.st"}"#;

    fn model(map: &str, total: &str, first: &[&str], second: &[&str]) -> Vec<String> {
        wrong(&[index(map, total), ("in/1.st", shard(first)), ("in/2.st", shard(second))])
    }

    #[test]
    fn an_index_agrees_with_its_files_both_ways() {
        assert_eq!(model(MAP, "3", &["b", "a"], &["c"]), [""; 0]);
        let missing = model(MAP, "2", &["a"], &["c"]);
        let said = r#"in/index.json: tensor "b": b is listed for "1.st", which does not hold it"#;
        assert_eq!(missing, [said]);
        let more = model(MAP, "4", &["a", "b"], &["c", "d"]);
        let said =
            r#"in/index.json: tensor "d": d lies in "2.st", for which the index does not list it"#;
        assert_eq!(more, [said]);
        assert_eq!(model(MAP, "3", &["a"], &["b", "c"]).len(), 2);
        let other = model(MAP, "3", &["a", "x"], &["c"]);
        let said = r#"in/index.json: key "/weight_map": 1.st holds 2 tensors, not the 2 that the index lists"#;
        assert_eq!(other, [said]);
    }

    #[test]
    fn the_files_are_there_and_no_others_matter() {
        let without = wrong(&[index(MAP, "3"), ("in/1.st", shard(&["a", "b"]))]);
        let said = r#"in/index.json: tensor "c": 2.st is named by the index and is not a file of the signed model"#;
        assert_eq!(without, [said]);
        // In another folder it is another file.
        let away = wrong(&[index(r#"{"a":"1.st"}"#, "1"), ("1.st", shard(&["a"]))]);
        assert_eq!(away.len(), 1);
        let extra =
            [index(r#"{"a":"1.st"}"#, "1"), ("in/1.st", shard(&["a"])), ("in/2.st", shard(&["b"]))];
        assert_eq!(wrong(&extra), [""; 0]);
        // Of a file of another format only that it is there.
        let text = [index(r#"{"a":"1.bin"}"#, "99"), ("in/1.bin", b"text".to_vec())];
        assert_eq!(wrong(&text), [""; 0]);
    }

    #[test]
    fn the_total_is_that_of_the_tensors_or_of_the_files() {
        let said = r#"in/index.json: key "/metadata/total_size": total_size the index claims 4 bytes and its files hold 3"#;
        assert_eq!(model(MAP, "4", &["a", "b"], &["c"]), [said]);
        let files = shard(&["a", "b"]).len() + shard(&["c"]).len();
        assert_eq!(model(MAP, &files.to_string(), &["a", "b"], &["c"]), [""; 0]);
        assert_eq!(model(MAP, "null", &["a", "b"], &["c"]), [""; 0]);
    }

    #[test]
    fn a_flood_of_findings_is_cut() {
        let map: Vec<_> = (0..300).map(|at| format!(r#""{at}":"{at}""#)).collect();
        let json = format!(r#"{{"weight_map":{{{}}}}}"#, map.join(","));
        let mut model = Model::default();
        for path in ["a.json", "b.json"] {
            model.add(path, 0, look(json.as_bytes()).links);
        }
        let findings = model.findings();
        assert_eq!(findings.len(), 257);
        assert_eq!(findings[256].1.kind, Kind::Malformed);
    }
}
