//! The drop folder on a real file system, in paused time.

use super::*;
use crate::DropFolder;

struct Watching {
    lab: Lab,
    folder: PathBuf,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Watching {
    fn start(lab: Lab) -> Self {
        let folder = lab.folder.path().join("drop");
        let drop_folder = DropFolder {
            path: folder.clone(),
            tenant: Tenant::default(),
            pipeline: "vod".to_owned(),
            settle: Duration::from_secs(3),
            rescan: Duration::from_secs(10),
        };
        let shutdown = CancellationToken::new();
        let (engine, stop) = (lab.engine(), shutdown.clone());
        let running = tokio::spawn(async move { engine.watch(drop_folder, stop).await.unwrap() });
        Self { lab, folder, shutdown, running }
    }

    async fn stop(self) -> Lab {
        self.shutdown.cancel();
        self.running.await.unwrap();
        self.lab
    }

    /// Titles after `seconds`, oldest first.
    async fn after(&self, seconds: u64) -> Vec<TitleRecord> {
        sleep(Duration::from_secs(seconds)).await;
        let mut titles = self.lab.catalog.titles(&Tenant::default(), 100).await.unwrap();
        titles.reverse();
        titles
    }
}

fn names(titles: &[TitleRecord]) -> Vec<String> {
    titles.iter().map(|t| format!("{} {}", t.title, t.version)).collect()
}

#[tokio::test(start_paused = true)]
async fn files_and_folders_become_titles_and_unfinished_transfers_do_not() {
    let watching = Watching::start(Lab::new());
    assert!(watching.after(1).await.is_empty());
    fs::write(watching.folder.join("A Film (2008).mp4"), "a film").unwrap();
    fs::write(watching.folder.join("b.mp4.part"), "b").unwrap();
    fs::write(watching.folder.join(".hidden.mp4"), "c").unwrap();
    fs::create_dir_all(watching.folder.join("series")).unwrap();
    fs::write(watching.folder.join("series/episode.mp4"), "d").unwrap();
    let titles = watching.after(30).await;
    assert_eq!(names(&titles), ["a-film-2008 v1", "series v1"]);
    assert!(titles[0].master_path.ends_with("/drop/A Film (2008).mp4"));

    fs::rename(watching.folder.join("b.mp4.part"), watching.folder.join("b.mp4")).unwrap();
    let titles = watching.after(30).await;
    assert_eq!(names(&titles), ["a-film-2008 v1", "series v1", "b v1"]);
    watching.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_grows_waits_until_it_stands_still() {
    let watching = Watching::start(Lab::new());
    watching.after(1).await;
    let path = watching.folder.join("film.mp4");
    for size in 1..20 {
        fs::write(&path, "x".repeat(size)).unwrap();
        assert!(watching.after(2).await.is_empty());
    }
    assert_eq!(names(&watching.after(30).await), ["film v1"]);
    watching.stop().await;
}

#[tokio::test(start_paused = true)]
async fn known_files_are_not_queued_again_after_a_restart_and_new_deliveries_are() {
    let watching = Watching::start(Lab::new());
    watching.after(1).await;
    let path = watching.folder.join("film.mp4");
    fs::write(&path, "a film").unwrap();
    assert_eq!(names(&watching.after(30).await), ["film v1"]);
    let lab = watching.stop().await;
    let record = lab.work(&lab.engine(), "film").await;
    assert_eq!(record.live, Some(Version(1)));

    let watching = Watching::start(lab);
    assert_eq!(names(&watching.after(30).await), ["film v1"]);
    fs::write(&path, "a better film").unwrap();
    assert_eq!(names(&watching.after(30).await), ["film v2"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a better film");
    watching.stop().await;
}
