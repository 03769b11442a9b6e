// An agent written with the protocol's own library, which checks every message that Sparky sends against the schema.
// It uses all that a client offers, does real work with it, and ends in the middle once. What it found goes to
// STATE/<workstream>.json; acp_test.py reads it.
//   node agent.mjs SDK STATE resume|load
import fs from "node:fs";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const [sdk, state, way] = process.argv.slice(2);
const acp = await import(pathToFileURL(path.join(sdk, "dist/acp.js")));
const workstream = process.env.SPARKY_WORKSTREAM;
const notes = path.join(state, `${workstream}.json`);
const known = fs.existsSync(notes) ? JSON.parse(fs.readFileSync(notes)) : { sessions: [], opened: [], found: {} };
const save = () => fs.writeFileSync(notes, JSON.stringify(known));
let signedIn = false;

const refused = async (promise) => promise.then(() => "answered", (error) => error.code);

async function lookAround(client, sessionId, cwd) {
  const ask = (method, params) => client.request(method, { sessionId, ...params });
  const found = known.found;
  const file = path.join(cwd, `${workstream}.txt`);
  await ask("fs/write_text_file", { path: file, content: "one\ntwo\nthree\n" });
  found.read = (await ask("fs/read_text_file", { path: file, line: 2, limit: 1 })).content;
  found.missing = await refused(ask("fs/read_text_file", { path: path.join(cwd, "nothing") }));
  found.outside = await refused(ask("fs/write_text_file", { path: path.join(state, "intruder"), content: "" }));
  found.unknown = await refused(client.request("_sparky/nothing", {}));
  found.stranger = await refused(client.request("fs/read_text_file", { sessionId: "another", path: file }));

  const done = await ask("terminal/create", { command: "sh", args: ["-c", "echo $WORD; exit 130"], env: [{ name: "WORD", value: "spoken" }], outputByteLimit: 1000 });
  found.exit = await ask("terminal/wait_for_exit", done);
  found.output = (await ask("terminal/output", done)).output;
  await ask("terminal/release", done);
  found.released = await refused(ask("terminal/output", done));

  const slow = await ask("terminal/create", { command: "sleep", args: ["60"] });
  const impatience = new AbortController();
  const waiting = client.request("terminal/wait_for_exit", { sessionId, ...slow }, { cancellationSignal: impatience.signal });
  impatience.abort();
  found.cancelled = await refused(waiting);
  await ask("terminal/kill", slow);
  found.killed = await ask("terminal/wait_for_exit", slow);
  await ask("terminal/release", slow);
}

async function askLeave(client, sessionId) {
  // What kind of call it is was told with the call; the question names only the call.
  await client.notify("session/update", { sessionId, update: { sessionUpdate: "tool_call", toolCallId: "leave", title: "delete everything", kind: "delete", status: "pending" } });
  const options = [{ optionId: "y", name: "Yes", kind: "allow_once" }, { optionId: "n", name: "No", kind: "reject_once" }];
  const { outcome } = await client.request("session/request_permission", { sessionId, toolCall: { toolCallId: "leave" }, options });
  known.found.leave = outcome.optionId;
}

async function commit(client, sessionId) {
  const made = await client.request("terminal/create", { sessionId, command: `git add -A . && git commit -q -m 'Add ${workstream}'` });
  known.found.commit = await client.request("terminal/wait_for_exit", { sessionId, ...made });
  await client.request("terminal/release", { sessionId, ...made });
}

async function prompt({ params, client }) {
  const { sessionId } = params;
  const tell = (update) => client.notify("session/update", { sessionId, update });
  const cwd = process.cwd();
  await tell({ sessionUpdate: "agent_thought_chunk", content: { type: "text", text: "hm" } });
  await tell({ sessionUpdate: "available_commands_update", availableCommands: [] });
  await tell({ sessionUpdate: "plan", entries: [{ content: "look around", priority: "high", status: "in_progress" }] });
  if (known.opened.length === 1) {
    await lookAround(client, sessionId, cwd);
    await tell({ sessionUpdate: "usage_update", used: 1000, size: 200000, cost: { amount: 0.5, currency: "USD" } });
    save();
    await new Promise((resolve) => setTimeout(resolve, 50)); // what was said has to leave first
    process.exit(3); // in mid-turn, with work that is not committed
  }
  await askLeave(client, sessionId);
  await commit(client, sessionId);
  await tell({ sessionUpdate: "usage_update", used: 1500, size: 200000, cost: { amount: 0.75, currency: "USD" } });
  await tell({ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "looked around" } });
  save();
  return { stopReason: "end_turn", usage: { totalTokens: 2000, inputTokens: 1500, outputTokens: 500 } };
}

function open(how, sessionId) {
  if (!signedIn) throw acp.RequestError.authRequired();
  if (how === "new") known.sessions.push((sessionId = `session-${workstream}`));
  if (!known.sessions.includes(sessionId)) throw acp.RequestError.invalidParams();
  known.opened.push(how);
  save();
  return how === "new" ? { sessionId } : {};
}

acp
  .agent({ name: "all-of-it" })
  .onRequest("initialize", () => ({
    protocolVersion: acp.PROTOCOL_VERSION,
    agentCapabilities: { loadSession: way === "load", sessionCapabilities: way === "resume" ? { resume: {}, close: {} } : {} },
    authMethods: [{ type: "terminal", id: "screen", name: "By hand" }, { id: "key", name: "By key" }],
  }))
  .onRequest("authenticate", ({ params }) => {
    signedIn = params.methodId === "key";
    return {};
  })
  .onRequest("session/new", () => open("new"))
  .onRequest("session/resume", ({ params }) => open("resume", params.sessionId))
  .onRequest("session/load", async ({ params, client }) => {
    // The protocol has it tell the past again; that must not count as said now.
    await client.notify("session/update", { sessionId: params.sessionId, update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "BLOCKED: long ago" } } });
    return open("load", params.sessionId);
  })
  .onRequest("session/close", () => {
    known.closed = true;
    save();
    return {};
  })
  .onRequest("session/prompt", prompt)
  .onNotification("session/cancel", () => {})
  .connect(acp.ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)));
