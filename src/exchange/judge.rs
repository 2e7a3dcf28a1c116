//! The judgement of a request by its head: whose it is, who calls, and which part goes on with it.

use std::sync::Arc;

use super::worker::Worker;
use super::{Call, Exchange, Host, MAX_WAITS, Pending, Purpose, State, Step};
use super::{body, deny, headers, names, read, silences};
use crate::auth::Verdict;
use crate::config::OtherHosts;
use crate::deny::{Denial, Form};
use crate::grant::Grant;
use crate::http::{RequestHead, UnixTime};
use crate::policy::Found;
use crate::route::{Access, Endpoint, Kind};

impl Exchange {
    pub(super) fn judge(
        &mut self,
        worker: &mut Worker,
        head: &RequestHead,
        ends: bool,
        host: &Host<'_>,
    ) -> Result<Step, Denial> {
        let policy = worker.policy.clone();
        let (path, query) = head.path_and_query();
        let (upstream, route) = match policy.find(head.authority(), head.method(), path) {
            Found::Endpoint(upstream, route) => (upstream, route),
            Found::Refused(e) => return Err(deny::route(&e)),
            Found::OtherHost => {
                return match policy.other_hosts {
                    OtherHosts::Deny => Err(deny::other_host()),
                    OtherHosts::Pass => {
                        self.audit.endpoint = "other_host";
                        Ok(Step::Edit(headers::cleaned(&policy, head)))
                    }
                };
            }
        };
        self.audit.endpoint = route.endpoint.name();
        self.form = match upstream.kind {
            Kind::Alertmanager => Form::Alertmanager,
            Kind::Prometheus | Kind::Thanos | Kind::Receive | Kind::Ruler => Form::Prometheus,
        };
        headers::refuse_upgrade(head)?;
        let edits = headers::towards(&policy, upstream, head);
        let mut call = Call {
            head,
            ends,
            upstream,
            route: &route,
            query,
            edits,
        };
        if route.endpoint.access() == Access::Public {
            read::no_body(&call)?;
            call.edits.set(":path", path);
            return Ok(Step::Edit(call.edits));
        }
        let since = *self.came.get_or_insert(host.now);
        let verdict =
            worker
                .auth
                .authenticate_since(head, host.peer, host.verifier, since, host.now);
        let grant = match verdict {
            Ok(Verdict::Grant(grant)) => grant,
            Ok(Verdict::Wait(_)) if self.waits >= MAX_WAITS => return Err(deny::no_keys(1)),
            Ok(Verdict::Wait(fetch)) => {
                self.state = State::Keys(Box::new(head.clone()), ends);
                return Ok(Step::WaitForKeys(fetch));
            }
            Err(e) => return Err(deny::auth(&worker.auth, &e)),
        };
        self.audit.subject = grant.subject.clone();
        self.holder = grant.holder.clone();
        let step = self.dispatch(worker, &grant, call, host.now)?;
        self.answer.held_by(&self.holder);
        worker
            .budget
            .begin(&self.holder)
            .map_err(|_| deny::requests())?;
        self.begun = true;
        Ok(step)
    }

    fn dispatch(
        &mut self,
        worker: &mut Worker,
        grant: &Arc<Grant>,
        call: Call<'_>,
        now: UnixTime,
    ) -> Result<Step, Denial> {
        match call.route.endpoint {
            Endpoint::Receive | Endpoint::Otlp | Endpoint::RemoteWrite => {
                body::write(self, worker, grant, call)
            }
            Endpoint::RemoteRead => body::remote_read(self, worker, grant, call),
            Endpoint::PostSilences | Endpoint::PostAlerts => {
                body::alertmanager(self, worker, grant, call)
            }
            Endpoint::Silence | Endpoint::DeleteSilence => {
                silences::by_id(self, worker, grant, call)
            }
            Endpoint::Query
            | Endpoint::QueryRange
            | Endpoint::QueryExemplars
            | Endpoint::QueryExplain
            | Endpoint::QueryRangeExplain
            | Endpoint::Series
            | Endpoint::Labels
            | Endpoint::LabelValues
            | Endpoint::FormatQuery
            | Endpoint::ParseQuery
            | Endpoint::Federate
            | Endpoint::Rules
            | Endpoint::Alerts
            | Endpoint::Metadata
            | Endpoint::Targets
            | Endpoint::BuildInfo
            | Endpoint::Features
            | Endpoint::AlertmanagerAlerts
            | Endpoint::AlertGroups
            | Endpoint::Silences
            | Endpoint::AlertmanagerStatus
            | Endpoint::Receivers => read::parameters(self, worker, grant, call, now),
            // Public endpoints went on before authentication.
            Endpoint::Healthy | Endpoint::Ready => Err(deny::internal()),
        }
    }

    pub(super) fn after_lookup(
        &mut self,
        worker: &mut Worker,
        pending: Pending,
        status: u16,
        answer: &[u8],
        now: UnixTime,
    ) -> Result<Step, Denial> {
        match pending.purpose {
            Purpose::Silence => silences::found(&pending.scope, status, answer)?,
            Purpose::Names => {
                let names = names::found(status, answer)?;
                worker
                    .names
                    .insert(pending.upstream, pending.scope.text(), names.clone(), now);
                self.answer.show_names(names);
            }
        }
        Ok(Step::Edit(pending.edits.unwrap_or_default()))
    }
}
