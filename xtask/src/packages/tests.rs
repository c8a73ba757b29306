//! Tests of what is wanted and of what counts as installed.

use expect_test::expect;

use super::*;

fn names(need: Need) -> BTreeSet<&'static str> {
    wanted(need).into_iter().map(|p| p.name).collect()
}

#[test]
fn each_need_includes_the_ones_before_it() {
    for (smaller, larger) in [
        (Need::Build, Need::Run),
        (Need::Run, Need::Demo),
        (Need::Demo, Need::Test),
        (Need::Demo, Need::Bench),
    ] {
        assert!(names(smaller).is_subset(&names(larger)), "{smaller:?} {larger:?}");
        assert!(names(smaller).len() < names(larger).len(), "{smaller:?} {larger:?}");
    }
    assert!(!names(Need::Bench).contains("chromium"));
    assert!(!names(Need::Build).contains("gstreamer1.0-libav"));
}

#[test]
fn a_package_of_which_only_the_configuration_is_left_is_not_installed() {
    let listing = "ffmpeg installed\nchromium config-files\nnpm not-installed\ngcc installed\n";
    let installed: Vec<String> = installed(listing).into_iter().collect();
    assert_eq!(installed, ["ffmpeg", "gcc"]);
}

#[test]
fn apt_get_waits_for_locks_and_asks_nothing() {
    let command = apt_get(&["sudo", "-n"], &["install", "--yes", "ffmpeg"]);
    expect!["sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 install --yes ffmpeg"]
        .assert_eq(&shell::line(&command));
}

#[test]
fn the_dockerfile_installs_the_same_packages() {
    let dockerfile = include_str!("../../../Dockerfile");
    let (build, run) = dockerfile.split_once("\nFROM debian").unwrap();
    let has = |text: &str, name: &str| text.split_whitespace().any(|word| word == name);
    for package in PACKAGES {
        // The image that builds comes with a compiler.
        if package.needs == [Need::Build] && !["gcc", "libc6-dev"].contains(&package.name) {
            assert!(has(build, package.name), "the build stage lacks {}", package.name);
        }
        assert_eq!(
            package.needs == [Need::Run],
            has(run, package.name),
            "packages.rs and the last stage of the Dockerfile differ about {}",
            package.name
        );
    }
}
