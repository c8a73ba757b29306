//! Places that must not lie in each other.

use super::*;

#[test]
fn folders_that_lie_in_each_other() {
    check(
        "[watch]\nfolder = '/data'\n[origins.local]\npath = '/data/packages'\n",
        &[],
        expect![[r#"
            `origins.local.path` (`/data/packages`) lies in `watch.folder` (`/data`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart"#]],
    );
    check(
        "[watch]\nfolder = '/srv/drop'\n[origins.local]\npath = '/srv'\n",
        &[],
        expect![[r#"
            `watch.folder` (`/srv/drop`) lies in `origins.local.path` (`/srv`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart"#]],
    );
    check(
        "[watch]\nfolder = '/srv'\n[origins.local]\npath = '/srv'\n",
        &[],
        expect![[r#"
            `origins.local.path` (`/srv`) lies in `watch.folder` (`/srv`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart"#]],
    );
    check(
        "data_dir = '/srv/drop/data'\n[watch]\nfolder = '/srv/drop'\n",
        &[("HEADWATER_ORIGINS_LOCAL_PATH", "/o")],
        expect![[r#"
            `data_dir` (`/srv/drop/data`) lies in `watch.folder` (`/srv/drop`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart"#]],
    );
    check(
        "",
        &[("HEADWATER_WATCH_FOLDER", "./headwater-data")],
        expect![[r#"
            `origins.local.path` (`headwater-data/origin`) lies in `watch.folder` (`./headwater-data`)
            hint: masters would be mistaken for packages, or packages for masters: keep the folders apart"#]],
    );
}
