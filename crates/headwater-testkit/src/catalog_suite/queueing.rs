//! Cases of the order in which tasks are handed out: what is most wanted, fair shares, and who can do it.

use headwater_model::lane::{Needs, Offer, Priority};
use headwater_model::task::{NewTitle, Role, TaskKind};
use headwater_ports::catalog::CatalogError;

use super::scene::{ALL, LEASE_MS, LONG_MS, Scene, good, new_title, package, prepared, title};

type Case = Result<(), CatalogError>;

fn of_tenant(tenant: &str, name: &str) -> NewTitle {
    NewTitle { tenant: tenant.parse().expect("a usable name"), ..new_title(name) }
}

/// However many came before it.
pub async fn an_urgent_title_comes_first(s: Scene) -> Case {
    s.prepare("old", 3).await?;
    s.submit("normal").await?;
    let low = NewTitle { priority: Some(Priority::Low), ..new_title("low") };
    s.catalog.submit(&low).await?;
    let urgent = NewTitle { priority: Some(Priority::Urgent), ..new_title("urgent") };
    s.catalog.submit(&urgent).await?;
    let mut order = Vec::new();
    while let Some(claimed) = s.try_claim().await? {
        order.push(claimed.package.title.to_string());
    }
    assert_eq!(order, ["urgent", "old", "old", "old", "old", "normal", "low"]);
    assert_eq!(s.title("urgent").await?.priority, Priority::Urgent);
    Ok(())
}

/// Each has as much under way as the others; who asked first does not get more.
pub async fn tenants_share_what_there_is(s: Scene) -> Case {
    for n in 0..4 {
        s.catalog.submit(&of_tenant("a", &format!("a{n}"))).await?;
    }
    for n in 0..4 {
        s.catalog.submit(&of_tenant("b", &format!("b{n}"))).await?;
    }
    let mut order = String::new();
    while let Some(claimed) = s.try_claim().await? {
        order.push_str(claimed.package.tenant.as_str());
        s.clock.advance_ms(1);
    }
    assert_eq!(order, "abababab");
    Ok(())
}

/// One worker that does one thing after the other serves both in turn, though nothing is under way when it asks.
pub async fn a_backlog_of_one_tenant_does_not_starve_another(s: Scene) -> Case {
    s.catalog.submit(&of_tenant("big", "film")).await?;
    let claimed = s.claim().await?;
    s.catalog.complete(&claimed.lease, &prepared(1, 9)).await?;
    s.clock.advance_ms(LONG_MS);
    s.catalog.submit(&of_tenant("small", "trailer")).await?;
    let claimed = s.claim().await?;
    s.catalog.complete(&claimed.lease, &prepared(2, 2)).await?;
    let mut order = Vec::new();
    for _ in 0..6 {
        s.clock.advance_ms(1_000);
        let claimed = s.catalog.claim(&Offer::of("w", &[Role::Worker]), LEASE_MS).await?;
        let claimed = claimed.expect("much is due");
        order.push(claimed.package.tenant.to_string());
        s.catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
    }
    assert_eq!(order, ["big", "small", "big", "small", "big", "small"]);
    Ok(())
}

/// Of the right pool, with the encoders of the plan, and a build that can read it.
pub async fn work_goes_to_those_who_can_do_it(s: Scene) -> Case {
    let gpu = NewTitle { pool: "gpu".to_owned(), ..new_title("film") };
    s.catalog.submit(&gpu).await?;
    assert_eq!(s.try_claim().await?, None, "nobody of the pool `gpu` has asked");
    let of_pool = Offer { pool: "gpu".to_owned(), ..Offer::of("g", &ALL) };
    let prepare = s.catalog.claim(&of_pool, LEASE_MS).await?.expect("it is due");
    s.catalog.complete(&prepare.lease, &prepared(1, 1)).await?;
    let audio = s.catalog.tasks(&prepare.package.tenant, &Default::default(), 10).await?;
    let Some(Needs { elements, plan, .. }) = audio[0].needs.clone() else {
        panic!("an open task needs something: {audio:?}");
    };
    assert!(!elements.is_empty());
    let bare = Offer { elements: Some(Default::default()), ..of_pool.clone() };
    assert_eq!(s.catalog.claim(&bare, LEASE_MS).await?, None);
    let old = Offer { plan: plan - 1, ..of_pool.clone() };
    assert_eq!(s.catalog.claim(&old, LEASE_MS).await?, None);
    let able = Offer { elements: Some(elements), plan, ..of_pool };
    let audio = s.catalog.claim(&able, LEASE_MS).await?.expect("it is due");
    s.catalog.complete(&audio.lease, &good(audio.kind)).await?;
    let span = s.catalog.claim(&able, LEASE_MS).await?.expect("it is due");
    s.catalog.complete(&span.lease, &good(span.kind)).await?;
    // Storage can be asked by anybody.
    s.claim_kind(TaskKind::Seal).await?;
    Ok(())
}

/// Who submits it again and does not say how much it is wanted leaves that as it is.
pub async fn a_known_title_keeps_its_priority(s: Scene) -> Case {
    s.catalog.submit(&NewTitle { priority: Some(Priority::Low), ..new_title("film") }).await?;
    s.work().await?;
    s.catalog.submit(&NewTitle { again: true, ..new_title("film") }).await?;
    assert_eq!(s.title("film").await?.priority, Priority::Low);
    s.submit("other").await?;
    assert_eq!(s.claim().await?.package.title, title("other"));
    s.catalog
        .submit(&NewTitle { again: true, priority: Some(Priority::Urgent), ..new_title("film") })
        .await?;
    assert_eq!(s.claim().await?.package.title, title("film"));
    Ok(())
}

/// What is lost of a title is made again where it was made.
pub async fn what_is_made_again_keeps_its_pool(s: Scene) -> Case {
    let offer = Offer { pool: "gpu".to_owned(), ..Offer::of("g", &ALL) };
    s.catalog.submit(&NewTitle { pool: "gpu".to_owned(), ..new_title("film") }).await?;
    while let Some(claimed) = s.catalog.claim(&offer, LEASE_MS).await? {
        s.catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
    }
    assert!(s.catalog.heal(&package("film", 1)).await?);
    let heal = s.claim_kind(TaskKind::Heal).await?;
    let lost = headwater_model::task::Retry::After(vec![TaskKind::Span(0)]);
    let failure = super::scene::passing(headwater_model::refusal::Code::NotProven);
    s.catalog.fail(&heal.lease, &headwater_model::task::Failure { retry: lost, ..failure }).await?;
    s.clock.advance_ms(LONG_MS);
    assert_eq!(s.try_claim().await?, None);
    let span = s.catalog.claim(&offer, LEASE_MS).await?.expect("the span is due");
    assert_eq!(span.kind, TaskKind::Span(0));
    Ok(())
}
