//! Tests of what is said about claims.

use super::*;

const CPU: Cpu = Cpu { server: 0.5, client: 0.25 };

fn turn(tasks_per_second: f64) -> Turn {
    Turn {
        tasks_per_second,
        cpu_ms: CPU,
        claim: Percentiles { p50_ms: 1.0, p99_ms: 2.0 },
        complete: Percentiles { p50_ms: 3.0, p99_ms: 4.0 },
    }
}

fn table(finished: u64, bare: f64, ours: f64) -> Table {
    Table {
        open: 120,
        finished,
        bare: vec![Bare { tasks_per_second: bare, cpu_ms: CPU }],
        with_objects: vec![turn(ours)],
        without_objects: vec![turn(ours)],
        database_bytes: 1_500_000_000,
    }
}

#[test]
fn the_lower_of_the_two_goals_counts_and_size_must_not_matter() {
    let tables = vec![table(0, 2_000.0, 1_500.0), table(3_000_000, 9_000.0, 1_200.0)];
    let said = section(&Measured { claimers: 64, connections: 16, tables }, "a machine\n");
    assert!(said.contains("0 finished: **1500.00** (goal at least 1400: reached)"), "{said}");
    assert!(said.contains("3000000 finished: **1200.00** (goal at least 2000: missed)"), "{said}");
    assert!(said.contains("3000000 finished / none: **0.80** (goal at least 0.9: missed)"));
    assert!(
        said.contains(
            "| 3000000 | 120 | claim + complete | 1200 | 0.13 | 0.50 + 0.25 | 1.0, 2.0 |"
        )
    );
}
