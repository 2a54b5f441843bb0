// Runs the suite http-tests/cache-tests against examples/cache_proxy and compares the verdicts with those
// that are stored beside this file. Usage: node tests/cache_suite/run.mjs SUITE PROXY [private|shared] [write]
//
// SUITE is a checkout of the suite after `npm install`, PROXY the built example. `write` stores the verdicts.
// Everything listens on 127.0.0.1 only.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

// A failure of the harness must not end the run, but one test.
process.on('unhandledRejection', error => console.error(`unhandled: ${error}`))

const [suite, proxyPath, scope = 'private', write] = process.argv.slice(2)
const load = file => import(pathToFileURL(path.join(path.resolve(suite), file)))
const expectedPath = path.join(import.meta.dirname, `${scope}.json`)

// Shared caches only: no verdict for a private one.
const sharedIds = new Set([
  'freshness-s-maxage-shared', 'freshness-max-age-s-maxage-shared-longer',
  'freshness-max-age-s-maxage-shared-longer-reversed', 'freshness-max-age-s-maxage-shared-longer-multiple',
  'freshness-max-age-s-maxage-shared-shorter', 'freshness-max-age-s-maxage-shared-shorter-expires',
  'cc-resp-private-shared', 'stale-close-proxy-revalidate', 'stale-close-s-maxage=2', 'other-authorization',
  'other-authorization-public', 'other-authorization-must-revalidate', 'other-authorization-smaxage'
])

const freePort = () => new Promise(resolve => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

const listen = http.Server.prototype.listen
http.Server.prototype.listen = function (port) { return listen.call(this, port, '127.0.0.1') }
const port = await freePort()
process.env.npm_config_protocol = 'http'
process.env.npm_config_port = port
process.env.npm_config_pidfile = path.join(fs.mkdtempSync('/tmp/cache-suite-'), 'pid')
await load('test-engine/server/server.mjs')

const isShared = scope === 'shared'
const proxy = spawn(proxyPath, ['--origin', `http://127.0.0.1:${port}`, ...(isShared ? ['--shared'] : []),
  ...(process.env.CACHE_STORE ? ['--store', process.env.CACHE_STORE] : [])], { stdio: ['ignore', 'pipe', 'inherit'] })
const base = await new Promise((resolve, reject) => {
  proxy.stdout.once('data', data => resolve(data.toString().split('\n')[0]))
  proxy.once('exit', code => reject(new Error(`the proxy exited with ${code}`)))
})

const config = await load('test-engine/client/config.mjs')
const { makeTest, testResults } = await load('test-engine/client/test.mjs')
const { determineTestResult, resultTypes } = await load('test-engine/lib/results.mjs')
const suites = (await load('tests/index.mjs')).default
config.setBaseUrl(base)
config.setUseBrowserCache(!isShared)

const only = process.env.CACHE_TEST
const picked = suites.flatMap(group => group.tests).filter(test => {
  if (only) return test.id === only
  return isShared ? !test.browser_only : !test.cdn_only && !sharedIds.has(test.id)
})
if (only) picked.forEach(test => { test.dump = true })
for (let i = 0; i < picked.length; i += 25) {
  await Promise.all(picked.slice(i, i + 25).map(makeTest))
}
proxy.kill()

const names = new Map(Object.entries(resultTypes).map(([name, type]) => [type, name]))
const verdicts = {}
const counts = {}
for (const test of picked) {
  const name = names.get(determineTestResult(suites, test.id, testResults))
  const kind = test.kind ?? 'required'
  verdicts[test.id] = name
  const group = isShared && (test.cdn_only || sharedIds.has(test.id)) ? `${kind}, shared or CDN only` : kind
  counts[group] ??= {}
  counts[group][name] = (counts[group][name] ?? 0) + 1
  const isGood = ['pass', 'yes', 'no'].includes(name)
  if (!isGood) console.log(`${kind} ${name}: ${test.id}: ${testResults[test.id]?.[1] ?? ''}`)
}
console.log(JSON.stringify(counts, null, 1))
if (only) process.exit(0)
if (write) {
  fs.writeFileSync(expectedPath, JSON.stringify(verdicts, null, 1) + '\n')
  process.exit(0)
}
const expected = JSON.parse(fs.readFileSync(expectedPath))
const ids = [...new Set([...Object.keys(expected), ...Object.keys(verdicts)])]
const changed = ids.filter(id => expected[id] !== verdicts[id])
changed.forEach(id => console.log(`CHANGED ${id}: ${expected[id]} -> ${verdicts[id]}`))
process.exit(changed.length === 0 ? 0 : 1)
