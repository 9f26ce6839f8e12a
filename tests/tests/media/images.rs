//! Carriers with a file system of the kernel, on an image whose blocks are as a device's are:
//! whole, wrong, or gone.

use std::fs;

use oms_testkit::files;
use oms_tests::fuse::Cache;
use oms_tests::image::{Image, Kind};
use oms_tests::mounts::{Need, privately};

use crate::stand::{Expect, LARGE, Method, NESTED, Run, Stand, Way, ways};

const BOTH: [Need; 2] = [Need::Ext4, Need::Squashfs];

/// The four ways that differ in command and reader.
fn four() -> Vec<Way> {
    ways().into_iter().filter(|way| way.cache == Cache::On).take(4).collect()
}

/// A stand with an image of its carrier.
fn with_image(kind: Kind, method: Method) -> (Stand, Image) {
    let stand = Stand::on_disk(method);
    let image = Image::of(kind, &stand.scene.carrier, &stand.scene.path("image"));
    (stand, image)
}

/// Runs in each way on a freshly mounted image, which `damage` happens to after it was mounted.
fn each_way(stand: &Stand, image: &Image, damage: impl Fn(&Image), check: impl Fn(&Run)) {
    let whole = fs::read(&image.path).unwrap();
    for way in four() {
        let mounted = image.mount(&stand.at);
        damage(image);
        check(&stand.run_and(&way, &stand.at, |_| false, String::new));
        drop(mounted);
        files::public(&image.path, &whole);
    }
}

#[test]
fn whole_images() {
    privately(&BOTH, || {
        for kind in [Kind::Ext4, Kind::Squashfs] {
            for method in [Method::Files, Method::Shards] {
                let (stand, image) = with_image(kind, method);
                each_way(&stand, &image, |_| {}, |run| run.expect(&[Expect::Passes]));
            }
        }
    });
}

#[test]
fn a_disk_that_ends_before_the_files_do() {
    privately(&BOTH, || {
        for file in [LARGE, NESTED, "config.json"] {
            let (stand, image) = with_image(Kind::Ext4, Method::Files);
            let begin = image.offset_of(&format!("demo/{file}"));
            let middle = stand.truth(file).len() as u64 / 2 / 4096 * 4096;
            for cut in [begin, begin + middle] {
                each_way(
                    &stand,
                    &image,
                    |image| image.cut(cut),
                    |run| {
                        run.expect(&[Expect::Undecided("media.unreadable")]);
                    },
                );
            }
        }
        let (stand, image) = with_image(Kind::Squashfs, Method::Shards);
        for part in [1, 2, 3] {
            let cut = image.length() / 4 * part;
            // Metadata are at the end of the image: not even names can be read.
            each_way(
                &stand,
                &image,
                |image| image.cut(cut),
                |run| {
                    // To Linux, a folder of a squashfs that cannot be read is an empty one.
                    run.expect(&[Expect::Undecided(""), Expect::Refused("bundle.missing")]);
                },
            );
        }
    });
}

#[test]
fn bytes_of_a_file_that_went_bad_on_the_disk() {
    privately(&BOTH, || {
        for file in [LARGE, NESTED, "config.json"] {
            let (stand, image) = with_image(Kind::Ext4, Method::Shards);
            let last = stand.truth(file).len() as u64 - 1;
            for place in [0, last] {
                image.overwrite(image.offset_of(&format!("demo/{file}")) + place, 1);
            }
            each_way(
                &stand,
                &image,
                |_| {},
                |run| {
                    run.expect(&[Expect::Refused("manifest.digest-mismatch")]);
                    run.names("manifest.digest-mismatch", file);
                },
            );
        }
        // In a compressed block one wrong byte makes all of it unreadable.
        let (stand, image) = with_image(Kind::Squashfs, Method::Files);
        image.overwrite(5000, 300);
        each_way(
            &stand,
            &image,
            |_| {},
            |run| {
                run.expect(&[
                    Expect::Undecided("media.unreadable"),
                    Expect::Refused("manifest.digest-mismatch"),
                ]);
            },
        );
    });
}

#[test]
fn an_inode_with_a_size_that_is_not_the_files() {
    privately(&[Need::Ext4], || {
        for method in [Method::Files, Method::Shards] {
            let stand = Stand::on_disk(method);
            let size = stand.truth(LARGE).len() as u64;
            for wrong in [0, size - 1, size + 1, size + 4096, (1 << 43) + size] {
                let path = stand.scene.path("image");
                let image = Image::of(Kind::Ext4, &stand.scene.carrier, &path);
                image.set_size(&format!("demo/{LARGE}"), wrong);
                each_way(
                    &stand,
                    &image,
                    |_| {},
                    |run| {
                        let may = [
                            Expect::Refused("manifest.digest-mismatch"),
                            Expect::Refused("manifest.size-mismatch"),
                            Expect::Refused("manifest.file-too-large"),
                            Expect::Undecided("media.unreadable"),
                            Expect::Undecided("outbound.write"),
                        ];
                        run.expect(&may);
                    },
                );
            }
        }
    });
}

#[test]
fn metadata_that_went_bad() {
    privately(&BOTH, || {
        let (stand, image) = with_image(Kind::Ext4, Method::Files);
        // The folder's own block: its names.
        let folder = image.offset_of("demo");
        image.overwrite(folder, 4096);
        each_way(
            &stand,
            &image,
            |_| {},
            |run| {
                run.expect(&[Expect::Undecided(""), Expect::Refused("bundle.missing")]);
            },
        );
    });
}
