//! temporary
fn main() { let a: Vec<String> = std::env::args().collect(); headwater_media::lab::run(&a[1], a[2].parse().unwrap(), &a[3]); }
