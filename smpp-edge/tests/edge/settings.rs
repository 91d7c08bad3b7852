//! Settings change while the edge runs.

use contract::OutcomeClass;
use contract::edge::{BindState, BindType};
use domain::Private;
use smsc::{Profile, Smsc};

use crate::rig::{Rig, config, messages, operator, until};

#[tokio::test]
async fn binds_follow_their_number() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    for binds in [2, 4, 1, 3] {
        settings.binds = binds;
        rig.platform.set(settings.clone());
        rig.wait_for_binds(&settings, binds.into()).await;
        until("sessions at the operator", || smsc.bound("chappe") == usize::from(binds)).await;
    }
    assert_eq!(smsc.counters().binds, 6, "binds that stayed were not bound again");
    rig.stop().await;
    assert_eq!(smsc.bound("chappe"), 0);
}

#[tokio::test]
async fn window_and_rate_change_without_a_rebind() {
    let (smsc, mut settings) = operator(Profile::default()).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    (settings.window, settings.tps) = (3, 500);
    rig.platform.set(settings.clone());
    rig.submit(&settings, &messages(100)).await;
    rig.wait_for_outcomes(100).await;
    assert_eq!(smsc.counters().binds, 2);
    rig.stop().await;
}

#[tokio::test]
async fn another_account_or_type_is_bound_anew_and_loses_nothing() {
    let (smsc, mut settings) = operator(Profile { latency_ms: 5, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    rig.submit(&settings, &messages(300)).await;
    settings.system_id = "other".to_owned();
    rig.platform.set(settings.clone());
    until("binds of the other account", || smsc.bound("other") == 2 && smsc.bound("chappe") == 0).await;
    settings.bind_type = BindType::Transmitter;
    rig.platform.set(settings.clone());
    until("four rebinds", || smsc.counters().binds == 6).await;
    let outcomes = rig.wait_for_outcomes(300).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted));
    assert_eq!(smsc.repeats().repeated, 0);
    rig.stop().await;
}

#[tokio::test]
async fn switched_off_it_unbinds_and_its_queue_waits() {
    let (smsc, mut settings) = operator(Profile { latency_ms: 50, ..Profile::default() }).await;
    let rig = Rig::start(config(), &[&settings]).await;
    rig.wait_for_binds(&settings, 2).await;
    rig.submit(&settings, &messages(200)).await;
    until("some outcomes", || rig.outcomes().len() > 20).await;
    settings.enabled = false;
    rig.platform.set(settings.clone());
    until("no sessions", || smsc.bound("chappe") == 0).await;
    let told = rig.outcomes().len();
    assert!(told < 200);
    settings.enabled = true;
    rig.platform.set(settings.clone());
    let outcomes = rig.wait_for_outcomes(200).await;
    assert!(outcomes.iter().all(|o| o.class == OutcomeClass::Accepted));
    assert_eq!(smsc.repeats().repeated, 0);
    rig.platform.remove(settings.id);
    until("no status", || rig.status.operators().is_empty()).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_refused_bind_is_shown_and_mended_by_new_settings() {
    let account = smsc::Account::new("chappe", "right");
    let smsc = Smsc::start(smsc::Config { accounts: vec![account], ..smsc::Config::default() }).await.unwrap();
    let (_unused, mut settings) = operator(Profile::default()).await;
    settings.port = smsc.addr().port();
    let mut slow = config();
    slow.refused_backoff = std::time::Duration::from_mins(1);
    let rig = Rig::start(slow, &[&settings]).await;
    let refused = || {
        let operators = rig.status.operators();
        operators.iter().flat_map(|o| &o.binds).filter(|b| b.state == BindState::Refused).count() == 2
    };
    until("refused binds", refused).await;
    let error = rig.status.operators()[0].binds[0].last_error.clone().unwrap();
    assert!(error.contains("ESME_RINVPASWD") || error.contains("ESME_RBINDFAIL"), "{error}");
    settings.password = Private::new("right");
    rig.platform.set(settings.clone());
    rig.wait_for_binds(&settings, 2).await;
    rig.stop().await;
}
