// The same script for OpenAI's client for JavaScript.
import fs from "node:fs";
import OpenAI, { toFile } from "openai";
import { VERSION } from "openai/version";

const OVER = ["completed", "failed", "expired", "cancelled"];
const client = new OpenAI();

function requests(name) {
  const body = { model: "Qwen/Qwen3.5-9B", messages: [{ role: "user", content: "Hello" }] };
  return [0, 1, 2]
    .map((n) =>
      JSON.stringify({ custom_id: `${name}-${n}`, method: "POST", url: "/v1/chat/completions", body }),
    )
    .join("\n");
}

async function upload(name) {
  const file = await toFile(Buffer.from(requests(name)), `${name}.jsonl`);
  return client.files.create({ file, purpose: "batch" });
}

async function order(name) {
  const file = await upload(name);
  return client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
    metadata: { job: name },
  });
}

// A stream has no length: it goes out in chunks. The second is larger than what is read ahead.
async function uploadStream(name, text) {
  fs.writeFileSync(`${name}.jsonl`, text);
  const file = await client.files.create({
    file: fs.createReadStream(`${name}.jsonl`),
    purpose: "batch",
  });
  const content = await (await client.files.content(file.id)).text();
  return file.filename === `${name}.jsonl` && content === text;
}

let batch = await order("node-first");
while (!OVER.includes(batch.status)) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  batch = await client.batches.retrieve(batch.id);
}
const text = await (await client.files.content(batch.output_file_id)).text();
const answers = text.trim().split("\n").map((line) => JSON.parse(line));
const second = await client.batches.cancel((await order("node-second")).id);
const listed = [];
for await (const row of client.batches.list({ limit: 1 })) {
  listed.push(row.id);
  if (listed.length === 2) break;
}
const input = await (await client.files.content(batch.input_file_id)).text();
const padded = requests("node-large").replaceAll("Hello", "Hello ".repeat(100_000));
const streamed =
  (await uploadStream("node-stream", requests("node-stream"))) &&
  (await uploadStream("node-large", padded));
const spare = await upload("node-spare");
console.log(
  JSON.stringify({
    version: VERSION,
    status: batch.status,
    counts: batch.request_counts,
    metadata: batch.metadata,
    answered: answers.map((line) => line.custom_id).sort(),
    contents: answers.map((line) => line.response.body.choices[0].message.content),
    listed: JSON.stringify(listed) === JSON.stringify([second.id, batch.id]),
    cancelled: second.status,
    streamed,
    input: input === requests("node-first"),
    deleted: (await client.files.delete(spare.id)).deleted,
  }),
);
