// Keeps the live part of the page current. Without a script, its Refresh link does.

const interval = 1000
const shown = new WeakMap() // an item of a list, and its HTML when it was put there

// replace puts next in the place of item, unless a person is at work in it, and keeps what they opened.
const replace = (item, next) => {
  if ((shown.get(item) ?? item.innerHTML) === next.innerHTML || item.contains(document.activeElement)) return
  const details = next.querySelector('details')
  shown.set(next, next.innerHTML)
  if (details && item.querySelector('details')?.open) details.open = true
  item.replaceWith(next)
}

// merge changes the items of a list to those of next. New ones are at its beginning.
const merge = (list, next) => {
  const ids = new Set([...next.children].map((item) => item.id))
  for (const item of [...list.children]) if (!ids.has(item.id)) item.remove()
  for (const item of [...next.children].reverse()) {
    const old = document.getElementById(item.id)
    if (old) replace(old, item)
    else shown.set(item, item.innerHTML), list.prepend(item)
  }
}

const refresh = async () => {
  const answer = await fetch('/_ui/live')
  if (!answer.ok) throw new Error(answer.statusText)
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
  for (const list of document.querySelectorAll('#live ul[id]')) merge(list, next.getElementById(list.id))
  document.getElementById('clock').replaceChildren(...next.getElementById('clock').childNodes)
}

const loop = async () => {
  if (!document.hidden) {
    try {
      await refresh()
    } catch {
      document.getElementById('clock').textContent = 'The fake does not answer. This page continues when it does.'
    }
  }
  setTimeout(loop, interval)
}
setTimeout(loop, interval)
