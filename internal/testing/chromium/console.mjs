// Serves the operator's console of a stack.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

// start runs build/local/console for a stack, and returns the address that admits a browser.
export async function start(stack) {
  const child = spawn('build/local/console', ['--local', 'console', '--no-open'], {
    cwd: root, env: { ...process.env, LOCAL_AWS_ADDR: new URL(stack.aws).host }, stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill())
  const [enter] = await once(createInterface({ input: child.stdout }), 'line')
  const ended = once(child, 'close')
  return { enter, origin: new URL(enter).origin, async close() { child.kill('SIGINT'); await ended } }
}

// Every page of the console in its situations. path is where it begins, with 5678 for the connected company;
// press and then name the buttons that lead on. heading is null if it is the company's name.
export const situations = [
  { name: 'companies', path: '/', heading: 'Companies' },
  { name: 'a search without a match', path: '/?q=no+such+name', heading: 'Companies' },
  { name: 'a company', path: '/companies/5678', heading: null },
  { name: 'an hour of a company', path: '/companies/5678?from=1h', heading: null },
  { name: 'no such company', path: '/companies/1', heading: 'Not found' },
  { name: 'events', path: '/events', heading: 'Events' },
  { name: 'events of a company', path: '/events?company=5678&since=14d', heading: null },
  { name: 'events of no company', path: '/events?company=no+such+name', heading: 'Events' },
  { name: 'no such event', path: '/events/5678/none?resource=RFIs%231', heading: 'Not found' },
  { name: 'quarantine', path: '/quarantine', heading: 'Quarantine' },
  { name: 'dead letters', path: '/dead', heading: 'Dead letters' },
  { name: 'keys', path: '/keys', heading: 'Keys' },
  { name: 'the system', path: '/system', heading: 'System' },
  { name: 'what reconciliation found', path: '/system/reconciliation', heading: 'Reconciliation' },
  { name: 'changes', path: '/changes', heading: 'Changes' },
  { name: 'the form of a change', path: '/changes/replay', heading: 'replay' },
  { name: 'a change that asks', path: '/companies/5678', press: 'Revoke', heading: 'revoke' },
  { name: 'a change that was declined', path: '/companies/5678', press: 'Revoke', then: 'Change nothing', heading: 'revoke' },
]
