// A client written with the protocol's own library talks with an agent, checks what it sends against the schema, and
// prints what came as JSON. For the agent that Sparky's own tests use: what they prove must not rest on a misreading.
//   node client.mjs SDK DIRECTORY COMMAND...
import fs from "node:fs";
import path from "node:path";
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const [sdk, cwd, ...command] = process.argv.slice(2);
const acp = await import(pathToFileURL(path.join(sdk, "dist/acp.js")));
const child = spawn(command[0], command.slice(1), { cwd, stdio: ["pipe", "pipe", "inherit"] });
const came = { updates: [], asked: [], files: [] };

came.stop = await acp
  .client({ name: "independent" })
  .onNotification("session/update", ({ params }) => void came.updates.push(params.update.sessionUpdate))
  .onRequest("session/request_permission", ({ params }) => {
    came.asked.push(params.toolCall.title);
    return { outcome: { outcome: "selected", optionId: params.options[0].optionId } };
  })
  .onRequest("fs/write_text_file", ({ params }) => {
    came.files.push(path.relative(cwd, params.path));
    fs.writeFileSync(params.path, params.content);
    return {};
  })
  .connectWith(acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)), async (agent) => {
    came.version = (await agent.request("initialize", { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: { fs: { readTextFile: false, writeTextFile: true } } })).protocolVersion;
    const { sessionId } = await agent.request("session/new", { cwd, mcpServers: [] });
    came.unknown = await agent.request("session/set_mode", { sessionId, modeId: "x" }).then(() => "answered", (error) => error.code);
    return (await agent.request("session/prompt", { sessionId, prompt: [{ type: "text", text: "go" }] })).stopReason;
  });
child.kill();
console.log(JSON.stringify(came));
process.exit(0);
