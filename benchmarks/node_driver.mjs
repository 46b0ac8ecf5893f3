// Runs kernels and compiles modules in V8 for the benchmarks. Requests come as lines of JSON on standard input, one answer a line.
//   {"load": PATH}             compile and instantiate a kernel
//   {"run": ARGUMENT}          call its `run`; answers {seconds, result}, the result as the decimal number of its 64 bits
//   {"read": PATH}             read a module that is to be compiled
//   {"compile": NUMBER}        compile it as bytes never seen before (V8 caches by content: a custom section holds the number)
//   {"validate": NUMBER}       validate it
import {readFileSync, readSync, writeSync} from 'node:fs';

let run, wire;

function bitsOf(result) {
  const view = new DataView(new ArrayBuffer(8));
  if (typeof result === 'bigint') view.setBigInt64(0, result);
  else view.setFloat64(0, result);
  return view.getBigUint64(0).toString();
}

function timed(call) {
  const cpu = process.cpuUsage(), start = process.hrtime.bigint();
  const result = call();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9, used = process.cpuUsage(cpu);
  return {seconds, cpu: (used.user + used.system) / 1e6, result};
}

function fresh(number) {
  const bytes = new Uint8Array(wire.length + 8);
  bytes.set(wire);
  bytes.set([0, 6, 1, 120, number & 255, number >> 8 & 255, number >> 16 & 255, number >> 24 & 255], wire.length);
  return bytes;
}

const actions = {
  load(path) {
    run = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path))).exports.run;
    return {};
  },
  run(argument) {
    const answer = timed(() => run(argument));
    return {seconds: answer.seconds, result: bitsOf(answer.result)};
  },
  read(path) {
    wire = readFileSync(path);
    return {};
  },
  compile(number) {
    const bytes = fresh(number), {seconds, cpu} = timed(() => new WebAssembly.Module(bytes));
    return {seconds, cpu};
  },
  validate(number) {
    const bytes = fresh(number), {seconds, cpu, result} = timed(() => WebAssembly.validate(bytes));
    return {seconds, cpu, result};
  },
};

const chunk = Buffer.alloc(65536);
let pending = '';
for (let length; (length = readSync(0, chunk)) > 0;) {
  pending += chunk.toString('utf8', 0, length);
  for (let end; (end = pending.indexOf('\n')) >= 0; pending = pending.slice(end + 1)) {
    const [[action, argument]] = Object.entries(JSON.parse(pending.slice(0, end)));
    writeSync(1, JSON.stringify(actions[action](argument)) + '\n');
  }
}
