//! What is masked, hashed and left out, at the one gate that everything comes in by: what the ledger
//! never learns is in no row, no picture, no event and no page, whoever writes them later. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::plan::{PrivacyPlan, Treatment};
use crate::context::Context;
use crate::ledger::entry::Entry;
use crate::ledger::request::{Beat, Closing, Named, OwnContext, Request};
use crate::secret::keyed::Salt;
use crate::supervise::lifecycle::Lifecycle;
use crate::tokens::TokenBatch;
use crate::units::SessionId;

/// What `privacy` asks for, with the salt of this instance.
#[derive(Clone, Debug)]
pub struct Veil {
    plan: PrivacyPlan,
    salt: Salt,
    /// Tells conversations apart whose ids are left out, and nothing beyond this life.
    passing: Salt,
}

impl Default for Veil {
    fn default() -> Self {
        let none = Salt([0; 32]);
        Self { plan: PrivacyPlan::default(), salt: none, passing: none }
    }
}

impl Veil {
    /// By this plan. `salt` is the instance's, `passing` that of this life.
    pub fn new(plan: PrivacyPlan, salt: Salt, passing: Salt) -> Self {
        Self { plan, salt, passing }
    }

    /// An entry as it may be taken in.
    pub fn entry(&self, entry: Entry) -> Entry {
        match entry {
            Entry::ContextCaptured { session, context } => {
                Entry::ContextCaptured { session, context: self.context(context) }
            }
            Entry::Lifecycle { at, event } => Entry::Lifecycle { at, event: self.event(event) },
            Entry::TokensRead { at, batch } => Entry::TokensRead { at, batch: self.tokens(batch) },
            other => other,
        }
    }

    /// What somebody asks for, with what they say of themselves as it may be kept. An own id is found
    /// again because it is treated in the same way each time.
    pub fn request(&self, request: Request) -> Request {
        match request {
            Request::Open(mut opening) => {
                opening.native_id = opening.native_id.map(|id| self.native_id(&id));
                opening.parent = opening.parent.map(|id| self.name(id));
                opening.own = self.own(opening.own);
                Request::Open(opening)
            }
            Request::Beat { session, beat } => {
                let note = beat.note.map(|note| self.plan.masker.text(&note));
                Request::Beat { session: self.named(session), beat: Beat { note, ..beat } }
            }
            Request::Close { session, closing } => {
                let reason = closing.reason.map(|reason| self.plan.masker.text(&reason));
                let closing = Closing { reason, ..closing };
                Request::Close { session: self.named(session), closing }
            }
            other => other,
        }
    }

    fn named(&self, session: Named) -> Named {
        Named { id: self.name(session.id), ..session }
    }

    /// An identity of ours stays what it is.
    fn name(&self, id: String) -> String {
        if SessionId::parse(&id).is_some() { id } else { self.native_id(&id) }
    }

    fn own(&self, own: OwnContext) -> OwnContext {
        OwnContext {
            user: own.user.and_then(|user| self.text("user", self.plan.user, user)),
            working_dir: own.working_dir.and_then(|path| self.path(path)),
            labels: self.labels(own.labels),
            ..own
        }
    }

    fn labels(&self, labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
        labels.into_iter().map(|(name, text)| (name, self.plan.masker.text(&text))).collect()
    }

    /// An agent's or an application's own id, as it may be kept. What is left out has a sign in its
    /// place that means something in this life only, since conversations must be told apart.
    pub fn native_id(&self, id: &str) -> String {
        match self.plan.native_ids {
            Treatment::Collect => self.plan.masker.text(id),
            Treatment::Hash => self.salt.hash("native_id", id),
            Treatment::Drop => self.passing.hash("native_id", id),
        }
    }

    fn text(&self, kind: &str, treatment: Treatment, text: String) -> Option<String> {
        match treatment {
            Treatment::Collect => Some(self.plan.masker.text(&text)),
            Treatment::Hash => Some(self.salt.hash(kind, &text)),
            Treatment::Drop => None,
        }
    }

    fn context(&self, context: Arc<Context>) -> Arc<Context> {
        let mut kept = Arc::unwrap_or_clone(context);
        kept.command = match self.plan.command {
            Treatment::Collect => self.plan.masker.command(&kept.command),
            Treatment::Hash => vec![self.salt.hash("command", &kept.command.join("\0"))],
            Treatment::Drop => Vec::new(),
        };
        kept.working_dir = kept.working_dir.and_then(|path| self.path(path));
        kept.user = kept.user.and_then(|name| self.text("user", self.plan.user, name));
        kept.labels = self.labels(kept.labels);
        if self.plan.git == Treatment::Drop {
            kept.git = None;
        }
        if let Some(git) = &mut kept.git {
            let treated = |kind, text: Option<String>| {
                text.and_then(|text| self.text(kind, self.plan.git, text))
            };
            let root = git.root.take();
            git.root = root.and_then(|root| self.text("working_dir", self.plan.working_dir, root));
            git.branch = treated("git_branch", git.branch.take());
            git.commit = treated("git_commit", git.commit.take());
        }
        if self.plan.hostname != Treatment::Collect {
            let host = Arc::make_mut(&mut kept.host);
            let name = host.hostname.take();
            host.hostname = name.and_then(|name| self.text("hostname", self.plan.hostname, name));
        }
        Arc::new(kept)
    }

    /// A path with its secrets replaced; one that holds none stays as it is, whatever its bytes.
    fn path(&self, path: PathBuf) -> Option<PathBuf> {
        let text = path.to_string_lossy().into_owned();
        let kept = self.text("working_dir", self.plan.working_dir, text.clone())?;
        Some(if kept == text { path } else { kept.into() })
    }

    /// What processes say of themselves is theirs; that we tell it on is ours.
    fn event(&self, event: Lifecycle) -> Lifecycle {
        let line = |text: &str| self.plan.masker.line(text);
        match event {
            Lifecycle::StatusTold { run, text } => Lifecycle::StatusTold { run, text: line(&text) },
            Lifecycle::TestFailed { run, failure, row, said } => {
                let said = said.map(|said| {
                    let lines: Vec<String> = said.lines().map(line).collect();
                    lines.join("\n").into()
                });
                Lifecycle::TestFailed { run, failure, row, said }
            }
            other => other,
        }
    }

    fn tokens(&self, mut batch: TokenBatch) -> TokenBatch {
        for usage in &mut batch.usages {
            if !usage.conversation.is_empty() {
                usage.conversation = self.native_id(&usage.conversation);
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{GitState, HostFacts};
    use crate::ledger::request::Opening;
    use crate::secret::masker::{Masker, Pattern};
    use crate::units::{RunId, Wall};

    fn context() -> Arc<Context> {
        Arc::new(Context {
            command: vec!["run".into(), "EMP-1".into()],
            working_dir: Some("/home/jane".into()),
            user: Some("jane".into()),
            git: Some(GitState {
                root: Some("/home/jane/shop".into()),
                branch: Some("main".into()),
                commit: Some("c0ffee".into()),
                dirty: Some(true),
            }),
            host: Arc::new(HostFacts { hostname: Some("box".into()), ..HostFacts::default() }),
            ..Context::default()
        })
    }

    fn veil(one: Treatment) -> Veil {
        let patterns = vec![Pattern::new("employee", "EMP-[0-9]").expect("a pattern")];
        let plan = PrivacyPlan {
            command: one,
            working_dir: one,
            user: one,
            git: one,
            hostname: one,
            native_ids: one,
            masker: Masker::new(patterns),
        };
        Veil::new(plan, Salt([1; 32]), Salt([2; 32]))
    }

    fn seen(veil: &Veil) -> Context {
        let session = SessionId::new(Wall(1), 1);
        match veil.entry(Entry::ContextCaptured { session, context: context() }) {
            Entry::ContextCaptured { context, .. } => (*context).clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_collected_is_masked_by_the_patterns_of_the_file() {
        let kept = seen(&veil(Treatment::Collect));
        assert_eq!(
            kept,
            Context { command: vec!["run".into(), "***".into()], ..(*context()).clone() }
        );
    }

    #[test]
    fn what_is_hashed_is_alike_where_it_was_and_told_nowhere() {
        let kept = seen(&veil(Treatment::Hash));
        assert_eq!(kept, seen(&veil(Treatment::Hash)));
        let told = format!("{kept:?}");
        for word in ["run", "jane", "shop", "main", "c0ffee", "box"] {
            assert!(!told.contains(&format!("{word}\"")), "{word}: {told}");
        }
        assert!(kept.user.is_some_and(|user| user.starts_with('#')));
        assert_eq!(kept.git.and_then(|git| git.dirty), Some(true));
    }

    #[test]
    fn what_is_dropped_is_not_there() {
        let kept = seen(&veil(Treatment::Drop));
        let host = Arc::new(HostFacts::default());
        assert_eq!(kept, Context { host, ..Context::default() });
    }

    #[test]
    fn what_applications_say_of_themselves_is_treated_alike() {
        let opening = Opening {
            native_id: Some("job-1".into()),
            own: OwnContext {
                user: Some("jane".into()),
                labels: [("ticket".to_owned(), "by EMP-1".to_owned())].into(),
                ..OwnContext::default()
            },
            ..Opening::default()
        };
        let veil = veil(Treatment::Hash);
        let Request::Open(opened) = veil.request(Request::Open(Box::new(opening))) else {
            panic!()
        };
        assert!(opened.own.user.is_some_and(|user| user.starts_with('#')));
        assert_eq!(opened.own.labels["ticket"], "by ***");
        let session = Named { id: "job-1".into(), within: None };
        let closing = Closing { failed: false, reason: Some("token=abc".into()) };
        let Request::Close { session, closing } = veil.request(Request::Close { session, closing })
        else {
            panic!()
        };
        assert_eq!(Some(session.id), opened.native_id, "it is found again");
        assert_eq!(closing.reason.as_deref(), Some("token=***"));
        let ours = Named { id: SessionId::new(Wall(1), 1).to_string(), within: None };
        let beat = Request::Beat { session: ours, beat: Beat::default() };
        assert_eq!(veil.request(beat.clone()), beat);
    }

    #[test]
    fn ids_are_told_apart_whatever_becomes_of_them() {
        for one in Treatment::ALL {
            let veil = veil(one);
            assert_ne!(veil.native_id("a"), veil.native_id("b"), "{one:?}");
            assert_eq!(veil.native_id("a"), veil.native_id("a"), "{one:?}");
        }
        let (hashed, passing) = (veil(Treatment::Hash), veil(Treatment::Drop));
        assert_ne!(hashed.native_id("a"), passing.native_id("a"));
    }

    #[test]
    fn what_processes_say_is_masked_before_it_is_told_on() {
        let event = Lifecycle::StatusTold { run: RunId(1), text: "by EMP-1, token=abc".into() };
        let at = crate::units::Now { mono: crate::units::Mono(0), wall: Wall(0) };
        match veil(Treatment::Collect).entry(Entry::Lifecycle { at, event }) {
            Entry::Lifecycle { event: Lifecycle::StatusTold { text, .. }, .. } => {
                assert_eq!(text, "by ***, token=***");
            }
            other => panic!("{other:?}"),
        }
    }
}
