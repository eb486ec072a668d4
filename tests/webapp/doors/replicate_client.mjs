// A program that calls Replicate's API with its official client in JavaScript, and prints what came of it as JSON.

import { readFileSync } from "node:fs";
import Replicate from "replicate";

const SDXL = "stability-ai/sdxl";
const PROMPT = process.env.PROMPT;
const FOX = { prompt: PROMPT, width: 64, height: 64 };
const client = new Replicate({ baseUrl: process.env.BASE_URL });
const content = readFileSync(process.env.PICTURE);

const refusal = (call) =>
  call.then(
    () => "not refused",
    (error) => error.response.status,
  );

const told = {};
told.run = await client.run(SDXL, { input: FOX });
told.read = (await (await fetch(told.run[0])).blob()).type; // without the key, as ordinary programs do
told.polled = await client.run(SDXL, { input: FOX, wait: { mode: "poll", interval: 50 } });
told.with_file = await client.run(SDXL, { input: { ...FOX, image: new Blob([content], { type: "image/png" }) } });
told.image = (await client.predictions.list()).results.map((each) => each.input.image).find(Boolean);
const waiting = await client.predictions.create({ model: SDXL, input: { prompt: `${PROMPT} long` } });
told.canceled = (await client.predictions.cancel(waiting.id)).status;
told.failed = await client.run(SDXL, { input: { ...FOX, prompt: `${PROMPT} bad` } }).then(
  () => "",
  (error) => error.message,
);
told.refused = [
  await refusal(client.run(SDXL, { input: { ...FOX, width: "wide" } })),
  await refusal(client.predictions.get("nothing")),
];
const file = await client.files.create(Buffer.from("a note"));
await client.files.delete(file.id);
told.file = [file.size, !(await client.files.list()).results.some((each) => each.id === file.id)];
told.listed = [];
for await (const page of client.paginate(client.predictions.list)) {
  told.listed.push(...page.map((prediction) => prediction.id));
}
const version = (await client.models.get("stability-ai", "sdxl")).latest_version;
told.models = (await client.models.list()).results
  .filter((model) => model.latest_version.id === version.id)
  .map((model) => model.name);
told.version = (await client.models.versions.get("stability-ai", "sdxl", version.id)).id;
told.account = (await client.accounts.current()).type;
console.log(JSON.stringify(told));
