//! A stretch of an origin's listing, object by object: what lies before a title, in it, and behind the last one. One page
//! of it is in memory.

use headwater_model::key::ObjectKey;
use headwater_ports::origin::ObjectInfo;

use super::{Audit, AuditError};

/// A stretch of an origin's listing, taken page by page.
pub(super) struct Stretch<'s, 'a> {
    audit: &'s Audit<'a>,
    prefix: String,
    to: String,
    after: Option<ObjectKey>,
    page: std::vec::IntoIter<ObjectInfo>,
    ended: bool,
    peeked: Option<ObjectInfo>,
}

impl<'s, 'a> Stretch<'s, 'a> {
    /// The keys with `prefix` from behind the prefix `from` up to the end of the prefix `to`.
    pub(super) fn new(audit: &'s Audit<'a>, prefix: &str, from: Option<&str>, to: &str) -> Self {
        Self {
            audit,
            prefix: prefix.to_owned(),
            to: last_of(to),
            after: from.map(last_of).and_then(ObjectKey::new),
            page: Vec::new().into_iter(),
            ended: false,
            peeked: None,
        }
    }

    /// The next object, if its key is what is asked for.
    pub(super) async fn next_if(
        &mut self,
        is: impl Fn(&str) -> bool,
    ) -> Result<Option<ObjectInfo>, AuditError> {
        let next = self.next().await?;
        if next.as_ref().is_some_and(|info| !is(info.key.as_str())) {
            self.peeked = next;
            return Ok(None);
        }
        Ok(next)
    }

    async fn next(&mut self) -> Result<Option<ObjectInfo>, AuditError> {
        loop {
            let next = self.peeked.take().or_else(|| self.page.next());
            if let Some(info) = next {
                if info.key.as_str() > self.to.as_str() {
                    self.ended = true;
                    self.page = Vec::new().into_iter();
                    return Ok(None);
                }
                return Ok(Some(info));
            }
            if self.ended {
                return Ok(None);
            }
            self.audit.purse.pay(1, 0).await;
            let origin = self.audit.origin;
            let page = origin.list(&self.prefix, self.after.as_ref()).await?;
            self.ended = page.next.is_none();
            self.after = page.next;
            self.page = page.objects.into_iter();
        }
    }
}

/// The key right behind all that start with this prefix, which ends in `/`: `0` is the next character.
fn last_of(prefix: &str) -> String {
    format!("{}0", prefix.strip_suffix('/').unwrap_or(prefix))
}
