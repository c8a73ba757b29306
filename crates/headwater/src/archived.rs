//! What commands say about a title's master in the archive, and how they wait for it.

use headwater_model::archive::{Archiving, MasterRecord};
use headwater_model::finding::Finding;
use headwater_model::life::TitleRecord;
use headwater_model::time::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::progress::REFRESH;
use crate::report::clock;

/// A master in the archive, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct ArchiveReport {
    /// The archive's name.
    pub(crate) origin: String,
    /// Whether the archive has proven to hold the master.
    pub(crate) proven: bool,
    /// When it last did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proven_at: Option<Timestamp>,
    /// Key of the copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    /// Its storage class, where the archive names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    /// Stable code of what keeps it from being archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// All that in one sentence.
    pub(crate) message: String,
}

impl ArchiveReport {
    /// What is known of a title's master; `None` without an archive, and before the master was read.
    pub(crate) async fn of(app: &App, record: &TitleRecord) -> anyhow::Result<Option<Self>> {
        let Some(archive) = app.config.policy.archive.as_deref() else { return Ok(None) };
        let Some(known) = master(app, record).await? else { return Ok(None) };
        let wrong = match known.copy_on(archive) {
            Some((copy, _)) => {
                app.catalog.incidents_of(&record.tenant, archive, copy.key.as_str()).await?
            }
            None => Vec::new(),
        };
        let wrong = wrong.first().map(|incident| &incident.finding);
        Ok(Some(Self::new(archive, record.title.as_str(), &known, wrong)))
    }

    /// `wrong` is what is known to be wrong with the copy.
    fn new(archive: &str, title: &str, known: &MasterRecord, wrong: Option<&Finding>) -> Self {
        let copy = known.copy_on(archive);
        let proven_at = copy.and_then(|(_, proven)| proven);
        let trouble = match &known.archiving {
            Archiving::Idle | Archiving::UnderWay(None) => None,
            Archiving::UnderWay(Some(refusal)) | Archiving::GivenUp(refusal) => Some(refusal),
        };
        let again = format!("`headwater heal {title}` sends it");
        let done = match (&known.archiving, trouble) {
            (Archiving::UnderWay(_), Some(why)) => format!("it is tried again: {why}"),
            (Archiving::UnderWay(_), None) => "it is on its way".to_owned(),
            (_, Some(why)) => format!("{again} once this is put right: {why}"),
            (_, None) => again,
        };
        let message = match (copy, proven_at) {
            (Some(_), at) if let Some(wrong) = wrong => {
                let once = at.map(|at| format!(", and was proven at {}", clock(at.0)));
                format!("the copy {wrong}{}; {done}", once.unwrap_or_default())
            }
            (Some(_), Some(at)) => {
                let proven = format!("archived on {archive}, proven at {}", clock(at.0));
                trouble.map_or(proven.clone(), |_| format!("{proven}; {done}"))
            }
            (Some(_), None) => {
                format!("found on {archive}, where it was not proven since the catalog was rebuilt")
            }
            (None, _) => format!("not archived on {archive} yet; {done}"),
        };
        Self {
            origin: archive.to_owned(),
            proven: proven_at.is_some() && wrong.is_none(),
            proven_at,
            object: copy.map(|(copy, _)| copy.key.to_string()),
            storage_class: copy.and_then(|(copy, _)| copy.storage_class.clone()),
            code: trouble.map(|why| why.code.as_str()),
            message,
        }
    }
}

async fn master(app: &App, record: &TitleRecord) -> anyhow::Result<Option<MasterRecord>> {
    let Some(sha256) = record.master else { return Ok(None) };
    Ok(app.catalog.master(&record.tenant, sha256).await?)
}

/// Whether a title's master is being archived and nothing went wrong with that so far.
async fn is_on_its_way(app: &App, record: &TitleRecord) -> anyhow::Result<bool> {
    if app.config.policy.archive.is_none() {
        return Ok(false);
    }
    let known = master(app, record).await?;
    Ok(known.is_some_and(|known| known.archiving == Archiving::UnderWay(None)))
}

/// Waits until a title's master is archived. An archive that does not take it at the first try is not waited for: what
/// is still to be done goes on whenever a service runs.
pub(crate) async fn wait(
    app: &App,
    record: &TitleRecord,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() && is_on_its_way(app, record).await? {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
