//! Rebuilds the crate when a migration is added: `sqlx::migrate!` notices only files that it has already embedded.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/sqlite");
    println!("cargo:rerun-if-changed=../../migrations/postgres");
}
