//! Titles as JSON.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use headwater_model::id::TitleId;
use headwater_model::key::PackageId;

use crate::Api;
use crate::problem::{Code, Problem};
use crate::wire;

/// Open incidents of a title that are shown: a page full. All of them are told by `headwater incidents`.
const INCIDENTS_LISTED: u32 = 200;

/// Titles in a list. The page asks every few seconds and shows what people look at: the newest.
const LISTED: u32 = 200;

/// An answer that is out of date as soon as it is given.
type Fresh<T> = ([(HeaderName, &'static str); 1], Json<T>);

fn fresh<T>(body: T) -> Fresh<T> {
    ([(CACHE_CONTROL, "no-store")], Json(body))
}

pub(crate) async fn list(State(api): State<Api>) -> Result<Fresh<wire::Titles>, Problem> {
    // One more than is shown tells whether there are more.
    let mut records = api.catalog.titles(&api.tenant, LISTED + 1).await?;
    let more = records.len() > LISTED as usize;
    records.truncate(LISTED as usize);
    Ok(fresh(wire::Titles { titles: records.into_iter().map(wire::Title::from).collect(), more }))
}

pub(crate) async fn one(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Fresh<wire::Detail>, Problem> {
    let Ok(Path(name)) = path else {
        return Err(Problem::new(Code::NoSuchTitle, "this address is not a title's"));
    };
    let missing = || Problem::new(Code::NoSuchTitle, format!("there is no title `{name}`"));
    let title: TitleId = name.parse().map_err(|_| missing())?;
    let record = api.catalog.title(&api.tenant, &title).await?.ok_or_else(missing)?;
    let package = PackageId { tenant: api.tenant.clone(), title, version: record.version };
    let events = api.catalog.events(&api.tenant, &package.title).await?;
    let open =
        api.catalog.incidents(&api.tenant, Some(&package.title), false, INCIDENTS_LISTED).await?;
    let last_words = api.catalog.last_words(&package).await?;
    Ok(fresh(wire::Detail {
        title: record.into(),
        events: events.into_iter().map(wire::Moment::from).collect(),
        findings: open.into_iter().map(|incident| incident.finding.into()).collect(),
        last_words,
    }))
}
