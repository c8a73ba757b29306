//! Tests of turning and resampling planes.

use super::*;

/// Samples with no pattern that a mistake could hide in.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

#[test]
fn columns_become_lines_at_every_size_around_a_block() {
    for (width, height) in [(1, 1), (15, 17), (16, 16), (17, 15), (64, 32), (83, 49), (200, 3)] {
        let (from_stride, to_stride) = (width + 5, height + 3);
        let data = noise(from_stride * height);
        let mut turned = vec![0; to_stride * width];
        turn(
            Plane { data: &data, stride: from_stride, size: (width, height) },
            &mut turned,
            to_stride,
        )
        .unwrap();
        for y in 0..height {
            for x in 0..width {
                assert_eq!(
                    turned[x * to_stride + y],
                    data[y * from_stride + x],
                    "{width}×{height}, column {x}, line {y}"
                );
            }
        }
    }
}

#[test]
fn a_target_that_is_too_small_is_refused() {
    let data = noise(32 * 32);
    assert_eq!(turn(plane(&data, (32, 32)), &mut [0; 32 * 32 - 1], 32), None);
}

#[test]
fn the_bytes_are_those_of_plain_resampling() {
    for (from, to) in [
        ((1280, 720), (960, 540)),
        ((427, 239), (416, 234)),
        ((320, 180), (320, 90)),
        ((320, 180), (160, 180)),
        ((17, 9), (5, 3)),
        ((90, 161), (46, 82)),
    ] {
        let data = noise(from.0 * from.1);
        let mut scaler = Scaler::new(FILTER);
        let plain = scaler
            .set_threading_policy(ThreadingPolicy::Single)
            .plan_planar_resampling(ImageSize::new(from.0, from.1), ImageSize::new(to.0, to.1))
            .unwrap();
        let mut want = vec![0; to.0 * to.1];
        resample(&plain, plane(&data, from), &mut want, to).unwrap();

        let stride = to.0 + 7;
        let mut got = vec![0; stride * to.1];
        PlaneScaler::new(from, to).unwrap().scale(plane(&data, from), &mut got, stride).unwrap();
        let lines = |bytes: &[u8], stride: usize| -> Vec<u8> {
            bytes.chunks(stride).flat_map(|line| line[..to.0].to_vec()).collect()
        };
        assert!(lines(&got, stride) == want, "{from:?} to {to:?}");
    }
}
