//! Tests of medians, ratios, turns and the table.

use expect_test::expect;

use super::*;

fn run(wall: f64, cpu: f64) -> Run {
    let (wall, cpu) = (Duration::from_secs_f64(wall), Duration::from_secs_f64(cpu));
    Run { cost: Cost { wall, cpu, memory: 50_000_000 }, bytes: 2_000_000 }
}

#[test]
fn the_median_is_the_middle_whatever_the_order() {
    assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
    assert!(median(vec![]).is_nan());
}

#[test]
fn one_slow_round_changes_no_ratio() {
    let tools = [
        Tool { name: "Headwater", runs: vec![run(8.0, 16.0), run(80.0, 16.5), run(8.0, 16.0)] },
        Tool { name: "ffmpeg", runs: vec![run(10.0, 20.0), run(10.0, 20.0), run(11.0, 20.0)] },
        Tool { name: "other", runs: vec![run(4.0, 8.0), run(4.0, 8.0), run(4.0, 8.0)] },
    ];
    let goals = [Goal { against: "ffmpeg", wall: Some(0.95), cpu: Some(0.75) }];
    expect![[r#"
        | tool | wall s | CPU s | peak MB | output MB | wall, CPU s of each round |
        |---|---|---|---|---|---|
        | Headwater | 8.00 | 16.00 | 50 | 2.00 | 8.00, 16.00 · 80.00, 16.50 · 8.00, 16.00 |
        | ffmpeg | 10.00 | 20.00 | 50 | 2.00 | 10.00, 20.00 · 10.00, 20.00 · 11.00, 20.00 |
        | other | 4.00 | 8.00 | 50 | 2.00 | 4.00, 8.00 · 4.00, 8.00 · 4.00, 8.00 |

        - Headwater / ffmpeg: wall **0.80** (goal 0.95: reached), CPU **0.80** (goal 0.75: missed), bytes 1.000
        - Headwater / other: wall **2.00**, CPU **2.00**, bytes 1.000
    "#]]
    .assert_eq(&table(&tools, &goals));
}

#[test]
fn every_tool_starts_a_round() {
    let mut order = String::new();
    let tools = take_turns(&["a", "b", "c"], 3, |name| {
        order.push_str(name);
        Ok(run(1.0, 1.0))
    });
    assert_eq!(order, "abcbcacab");
    assert!(tools.unwrap().iter().all(|tool| tool.runs.len() == 3));
}
