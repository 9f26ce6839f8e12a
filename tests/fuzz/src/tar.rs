//! An archive: what is read of it is what a station writes.

use oms_verify::tar::{END, header, next, padding};

/// A tar, whose members are gone through to its end or to the first fault.
pub fn tar(data: &[u8]) {
    let mut rest = data;
    let mut written = Vec::new();
    loop {
        match next(&mut rest) {
            Ok(Some(member)) => {
                let filled = member.size.checked_add(padding(member.size) as u64);
                let filled = filled.and_then(|filled| usize::try_from(filled).ok());
                let Some((content, behind)) =
                    filled.and_then(|filled| rest.split_at_checked(filled))
                else {
                    return;
                };
                written.extend(header(&member.name, member.size));
                written.extend_from_slice(content);
                rest = behind;
            }
            Ok(None) => {
                written.extend([0; END]);
                assert_eq!(data.strip_suffix(rest), Some(&written[..]));
                return;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
    }
}
