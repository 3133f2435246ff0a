//! What changes of an operator that is there already: where it is, and with which credential it is driven; and the master key
//! that seals credentials.
//!
//! Invariant: a credential that has not been tried in a zone takes no other one's place. No answer and no error holds one.

use super::operators::{name_servers, no_requests, usable};
use super::{Controller, key_name, no_operator, of_store, plain, zone_name};
use crate::api::service::{Refusal, RefusalKind};
use crate::api::wire::{KeyRotated, OperatorChange, OperatorRotate, OperatorRotated, OperatorShow};
use crate::model::dns::{plain_of_stored, read_name};
use crate::store::{Interface, OperatorRecord, SealError, StoreError};
use std::collections::BTreeSet;

impl Controller {
    pub(super) async fn set_operator(&self, name: &str, change: OperatorChange) -> Result<OperatorShow, Refusal> {
        let _alone = self.credentials.lock().await;
        let mut operator = self.operator_record(name).await?;
        let not_its = |what: &str| {
            let text = format!("operator {name} is driven by {}, and has no {what}", operator.interface.provider());
            Refusal::new(RefusalKind::Invalid, "bad-interface", text)
                .with_fix("name what it has: `chorus operator show`")
        };
        let interface = match (&operator.interface, change.update, change.url, change.server_id) {
            (Interface::Rfc2136 { tsig_name, tsig_algorithm, update }, given, None, None) => Interface::Rfc2136 {
                update: given.map_or_else(|| update.clone(), |update| update.to_string()),
                tsig_name: tsig_name.clone(),
                tsig_algorithm: tsig_algorithm.clone(),
            },
            (Interface::Rfc2136 { .. }, ..) => return Err(not_its("URL")),
            (Interface::PowerDns { url, server_id }, None, new_url, new_server_id) => Interface::PowerDns {
                url: new_url.unwrap_or_else(|| url.clone()),
                server_id: new_server_id.unwrap_or_else(|| server_id.clone()),
            },
            (Interface::Desec { url, account }, None, new_url, None) => Interface::Desec {
                url: new_url.unwrap_or_else(|| url.clone()),
                account: change.account.clone().or_else(|| account.clone()).filter(|account| !account.is_empty()),
            },
            (Interface::Desec { .. }, None, _, Some(_)) => return Err(not_its("server id")),
            (Interface::PowerDns { .. } | Interface::Desec { .. }, Some(_), ..) => {
                return Err(not_its("address for updates"));
            }
        };
        if let Some(given) = &change.name_servers {
            let new = name_servers(name, given)?;
            let zones = self.engine.ports().store.zones_of(name).await.map_err(of_store)?;
            let hosts = |servers: &[String]| -> BTreeSet<String> {
                servers.iter().map(|server| server.split('=').next().unwrap_or_default().to_owned()).collect()
            };
            if let Some(zone) = zones.first().filter(|_| !hosts(&new).is_superset(&hosts(&operator.name_servers))) {
                // NS sets in caches lead to the old ones, and nothing would wait for those to die.
                let text = format!(
                    "{name} serves {}: name servers can be added, and their addresses changed, and none can be taken away",
                    plain_of_stored(zone)
                );
                return Err(Refusal::new(RefusalKind::Conflict, "in-use", text).with_fix(
                    "name the old ones beside the new ones; an operator that signs with keys of its own can take the place \
                     of this one: `chorus zone replace`",
                ));
            }
            self.no_alias(name, &new).await?;
            operator.name_servers = new;
        }
        if interface.account().is_none() && (change.account.is_some() || change.requests_per_day.is_some()) {
            return Err(not_its("limits of requests"));
        }
        if change.requests_per_day == Some(0) {
            return Err(no_requests());
        }
        operator.interface = interface;
        self.store().set_operator(&operator).await.map_err(of_store)?;
        self.set_limit(&operator, change.requests_per_day).await?;
        self.look_again(name).await?;
        self.show_operator(name).await
    }

    pub(super) async fn new_credential(&self, name: &str, rotate: OperatorRotate) -> Result<OperatorRotated, Refusal> {
        let _alone = self.credentials.lock().await;
        let mut operator = self.operator_record(name).await?;
        match &mut operator.interface {
            Interface::Rfc2136 { tsig_name, tsig_algorithm, .. } => {
                if let Some(new) = &rotate.tsig_name {
                    *tsig_name = key_name(new)?;
                }
                if let Some(new) = rotate.tsig_algorithm {
                    new.name().clone_into(tsig_algorithm);
                }
            }
            Interface::PowerDns { .. } | Interface::Desec { .. }
                if rotate.tsig_name.is_some() || rotate.tsig_algorithm.is_some() =>
            {
                let text = format!("operator {name} is driven over HTTP, and has no TSIG key");
                return Err(Refusal::new(RefusalKind::Invalid, "bad-interface", text).with_fix("give its API key"));
            }
            Interface::PowerDns { .. } | Interface::Desec { .. } => {}
        }
        usable(&operator.interface, &rotate.secret)?;
        let ports = self.engine.ports();
        let mut zones = Vec::new();
        if let Some(zone) = &rotate.zone {
            zones.push(zone_name(zone)?);
        }
        let its = ports.store.zones_of(name).await.map_err(of_store)?;
        for zone in its.iter().filter_map(|zone| read_name(zone).ok()) {
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        if zones.is_empty() {
            let text = format!("operator {name} is in no zone in which its new credential could be tried");
            return Err(Refusal::new(RefusalKind::Invalid, "no-zone-to-try", text)
                .with_fix("name a zone that it serves with --zone"));
        }
        let nonce = || {
            let mut nonce = [0; 24];
            ports.random.fill(&mut nonce);
            nonce
        };
        self.store().stage_secret(&operator, rotate.secret.expose().as_bytes(), nonce()).await.map_err(of_store)?;
        if let Err(refusal) = self.try_staged(&operator, &zones, &rotate.secret).await {
            self.store().drop_staged(name).await.map_err(of_store)?;
            return Err(refusal);
        }
        self.store().take_staged(name, nonce()).await.map_err(of_store)?;
        tracing::info!(operator = %name, "a new credential is used from now on");
        self.look_again(name).await?;
        Ok(OperatorRotated { operator: name.to_owned(), tried_in: zones.iter().map(plain).collect() })
    }

    pub(super) async fn new_master_key(&self) -> Result<KeyRotated, Refusal> {
        let ports = self.engine.ports();
        let random = ports.random.clone();
        let rotated = self.store().rotate_master_key(Box::new(move |octets| random.fill(octets))).await;
        let resealed = rotated.map_err(|error| match &error {
            StoreError::Seal(SealError::NotOurs { .. }) => {
                Refusal::new(RefusalKind::Preflight, "master-key-given", error.to_string()).with_fix(
                    "start Chorus without it once, with that key as DIR/master.key (mode 0400), and exchange it then",
                )
            }
            _ => of_store(error),
        })?;
        tracing::info!("{resealed} secrets are sealed with a new master key");
        Ok(KeyRotated { resealed })
    }

    async fn operator_record(&self, name: &str) -> Result<OperatorRecord, Refusal> {
        let operator = self.engine.ports().store.operator(name).await.map_err(of_store)?;
        operator.ok_or_else(|| no_operator(name))
    }

    /// Whatever waited for the operator is tried now.
    async fn look_again(&self, operator: &str) -> Result<(), Refusal> {
        let ports = self.engine.ports();
        for zone in ports.store.zones_of(operator).await.map_err(of_store)? {
            ports.store.set_due(&zone, ports.clock.now()).await.map_err(of_store)?;
        }
        self.engine.wake();
        Ok(())
    }
}
