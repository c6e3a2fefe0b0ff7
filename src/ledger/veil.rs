//! What is masked, hashed and left out, at the one gate that everything comes in by: what the ledger
//! never learns is in no row, no picture, no event and no page, whoever writes them later. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::chains::interaction::excerpt;
use crate::chains::step::{Deed, Step};
use crate::config::plan::{PrivacyPlan, Treatment};
use crate::context::Context;
use crate::ledger::chain_request::{ChainRequest, Told};
use crate::ledger::entry::Entry;
use crate::ledger::request::{Beat, Closing, Named, OwnContext, Request};
use crate::secret::keyed::{Salt, is_hash};
use crate::secret::{MASK, is_secret};
use crate::supervise::lifecycle::Lifecycle;
use crate::tokens::TokenBatch;
use crate::tokens::call::Call;
use crate::tokens::stdout::Batch;
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
            Entry::StdoutRead { at, batch } => Entry::StdoutRead { at, batch: self.stdout(batch) },
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
                let note = beat.note.map(|note| self.plan.masker.line(&note));
                Request::Beat { session: self.named(session), beat: Beat { note, ..beat } }
            }
            Request::Close { session, closing } => {
                let reason = closing.reason.map(|reason| self.plan.masker.line(&reason));
                let closing = Closing { reason, ..closing };
                Request::Close { session: self.named(session), closing }
            }
            Request::Chain(asked) => Request::Chain(self.chain(asked)),
            Request::Label { process, label } => {
                Request::Label { process, label: self.plan.masker.line(&label) }
            }
            Request::Count { mut calls, within, heard } => {
                calls.iter_mut().for_each(|call| self.call(call));
                Request::Count { calls, within, heard }
            }
            other => other,
        }
    }

    /// An address may hold a secret, as any text may.
    fn call(&self, call: &mut Call) {
        call.session = call.session.take().map(|id| self.name(id));
        call.endpoint = call.endpoint.take().map(|text| self.plan.masker.line(&text));
        if !call.conversation.is_empty() {
            call.conversation = self.native_id(&call.conversation);
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
        labels.into_iter().filter_map(|(name, text)| self.label(name, text)).collect()
    }

    fn label(&self, name: String, text: String) -> Option<(String, String)> {
        if self.plan.metadata == Treatment::Collect && is_secret(&name) {
            return Some((name, MASK.to_owned()));
        }
        self.text("label", self.plan.metadata, text).map(|text| (name, text))
    }

    /// A user as their sessions are found under.
    pub fn user(&self, name: &str) -> String {
        self.text("user", self.plan.user, name.to_owned()).unwrap_or_else(|| name.to_owned())
    }

    /// An agent's or an application's own id, as it may be kept. What is left out has a sign in its
    /// place that means something in this life only, since conversations must be told apart; so has
    /// what would be masked. An identity of ours says nothing of anybody.
    pub fn native_id(&self, id: &str) -> String {
        if SessionId::parse(id).is_some() || is_hash(id) {
            return id.to_owned();
        }
        match self.plan.native_ids {
            Treatment::Collect if self.plan.masker.text(id) == id => id.to_owned(),
            Treatment::Collect => self.salt.hash("native_id", id),
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
        for usage in batch.usages.iter_mut().chain(batch.telling.iter_mut().flatten()) {
            if !usage.conversation.is_empty() {
                usage.conversation = self.native_id(&usage.conversation);
            }
        }
        batch.steps.iter_mut().for_each(|step| self.step(step));
        batch
    }

    fn stdout(&self, mut batch: Batch) -> Batch {
        for spoken in &mut batch.spoken {
            if !spoken.usage.conversation.is_empty() {
                spoken.usage.conversation = self.native_id(&spoken.usage.conversation);
            }
            spoken.step.iter_mut().for_each(|step| self.step(step));
        }
        batch
    }

    /// What happened in a conversation. Files tell where somebody works, as folders do; texts were
    /// masked before they were cut.
    fn step(&self, step: &mut Step) {
        if !step.conversation.is_empty() {
            step.conversation = self.native_id(&step.conversation);
        }
        step.resumes = step.resumes.as_deref().map(|id| self.native_id(id));
        if let Deed::Answered { calls, .. } = &mut step.deed {
            self.work(&mut calls.files, &mut calls.tasks);
        }
    }

    fn work(&self, files: &mut Vec<String>, tasks: &mut [String]) {
        let kept = |file| self.text("file", self.plan.working_dir, file);
        *files = std::mem::take(files).into_iter().filter_map(kept).collect();
        for task in tasks {
            *task = self.plan.masker.line(task);
        }
    }

    fn chain(&self, asked: ChainRequest) -> ChainRequest {
        match asked {
            ChainRequest::Record(told) => {
                let kept = |text: Option<String>| {
                    let text = text.filter(|_| self.plan.excerpts);
                    text.map(|text| excerpt(&text, &self.plan.masker))
                };
                let mut metadata = Value::Object(told.metadata);
                self.plan.masker.json(&mut metadata);
                let metadata = match metadata {
                    Value::Object(metadata) => metadata,
                    _ => Map::new(),
                };
                ChainRequest::Record(Box::new(Told {
                    conversation: self.name(told.conversation),
                    resumes: told.resumes.map(|id| self.native_id(&id)),
                    prompt: kept(told.prompt),
                    response: kept(told.response),
                    metadata,
                    ..*told
                }))
            }
            ChainRequest::Replace { agent, conversation, mut continuation, tokens, window } => {
                let conversation = conversation.map(|id| self.name(id));
                self.work(&mut continuation.files, &mut continuation.tasks);
                ChainRequest::Replace { agent, conversation, continuation, tokens, window }
            }
            reset @ ChainRequest::Reset { .. } => reset,
        }
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
            metadata: one,
            excerpts: true,
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
        assert!(opened.own.labels["ticket"].starts_with('#'));
        let session = Named { id: "job-1".into(), ..Named::default() };
        let closing = Closing { failed: false, reason: Some("token=abc".into()) };
        let Request::Close { session, closing } = veil.request(Request::Close { session, closing })
        else {
            panic!()
        };
        assert_eq!(Some(session.id), opened.native_id, "it is found again");
        assert_eq!(closing.reason.as_deref(), Some("token=***"));
        let ours = Named { id: SessionId::new(Wall(1), 1).to_string(), ..Named::default() };
        let beat = Request::Beat { session: ours, beat: Beat::default() };
        assert_eq!(veil.request(beat.clone()), beat);
    }

    #[test]
    fn chains_learn_what_may_be_kept() {
        let step = || Step {
            agent: "claude".into(),
            process: None,
            conversation: "c1".into(),
            at: Wall(1),
            resumes: Some("c0".into()),
            deed: Deed::Answered {
                calls: crate::chains::step::Calls {
                    files: vec!["/home/jane/a".into()],
                    tools: vec!["Edit".into()],
                    tasks: vec!["ask EMP-1".into()],
                },
                context: None,
                excerpt: None,
            },
        };
        let seen = |one| {
            let at = crate::units::Now { mono: crate::units::Mono(0), wall: Wall(0) };
            let batch = TokenBatch { steps: vec![step()], ..TokenBatch::default() };
            match veil(one).entry(Entry::TokensRead { at, batch }) {
                Entry::TokensRead { mut batch, .. } => batch.steps.remove(0),
                other => panic!("{other:?}"),
            }
        };
        let mut kept = step();
        let Deed::Answered { calls, .. } = &mut kept.deed else { panic!() };
        calls.tasks = vec!["ask ***".into()];
        assert_eq!(seen(Treatment::Collect), kept);
        let hashed = seen(Treatment::Hash);
        assert_eq!(hashed.conversation, veil(Treatment::Hash).native_id("c1"));
        let told = format!("{hashed:?}{:?}", seen(Treatment::Drop));
        assert!(!told.contains("jane") && !told.contains("\"c0\"") && !told.contains("EMP"));
        let asked = Told {
            agent: "claude".into(),
            conversation: "c1".into(),
            id: None,
            prompt: Some(format!("{} mail jane@example.org", "x".repeat(180))),
            response: None,
            resumes: None,
            metadata: serde_json::from_str(r#"{"note": "EMP-1", "password": "x"}"#).expect("JSON"),
        };
        let asked = Request::Chain(ChainRequest::Record(Box::new(asked)));
        let told = format!("{:?}", veil(Treatment::Collect).request(asked));
        for word in ["jane@", "EMP-1", "\"x\""] {
            assert!(!told.contains(word), "{word}: {told}");
        }
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
    fn what_applications_say_is_treated_as_well() {
        let open = |one: Treatment| {
            let own = OwnContext {
                user: Some("jane".into()),
                working_dir: Some("/home/jane".into()),
                labels: [("api_key", "k"), ("note", "by EMP-1")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
                ..OwnContext::default()
            };
            let native_id = Some("jane@mail.example".to_owned());
            let opening = Opening { native_id, own, ..Opening::default() };
            match veil(one).request(Request::Open(Box::new(opening))) {
                Request::Open(opening) => *opening,
                other => panic!("{other:?}"),
            }
        };
        let kept = open(Treatment::Collect);
        assert_eq!((&*kept.own.labels["api_key"], &*kept.own.labels["note"]), ("***", "by ***"));
        let id = kept.native_id.expect("an id");
        assert!(
            id.starts_with('#') && id == veil(Treatment::Collect).native_id("jane@mail.example")
        );
        let hashed = open(Treatment::Hash);
        assert_eq!(hashed.own.user, Some(veil(Treatment::Hash).user("jane")));
        assert!(!format!("{hashed:?}").contains("jane"), "{hashed:?}");
        let dropped = open(Treatment::Drop);
        assert_eq!(dropped.own, OwnContext::default());
        let ours = SessionId::new(Wall(1), 1).to_string();
        assert_eq!(veil(Treatment::Drop).native_id(&ours), ours);
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

    #[test]
    fn a_conversation_that_was_kept_as_a_hash_is_the_same_in_the_next_life() {
        let veil = veil(Treatment::Hash);
        let kept = veil.native_id("talk-1");
        assert!(kept != "talk-1" && veil.native_id(&kept) == kept);
    }
}
