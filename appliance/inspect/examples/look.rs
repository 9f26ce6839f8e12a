#![allow(warnings)]
use std::io::BufRead;
fn main() {
    for l in std::io::stdin().lock().lines() {
        let p = l.unwrap();
        let Ok(mut f) = std::fs::File::open(&p) else { continue };
        let n = f.metadata().unwrap().len();
        let t = std::time::Instant::now();
        let i = oms_inspect::inspect(&mut f, n, &oms_inspect::Budget::default()).unwrap();
        println!(
            "{:?}\t{:?}\t{:?}\t{}\t{}ms",
            i.format,
            i.malformed,
            i.remote_code,
            p,
            t.elapsed().as_millis()
        );
    }
}
