// Renews the parts of a page that change, every few seconds, while someone looks at it and is not busy with it.
(() => {
  'use strict'
  const main = document.getElementById('main')
  let seconds = Number(main.dataset.live)
  const parts = (root) => [...root.querySelectorAll('[data-part]')]

  // busy reports whether a change of the part would disturb: something is typed, selected or open in it.
  const busy = (part) => {
    const at = document.activeElement, selection = document.getSelection()
    return part.contains(at) && at.matches('input, select, textarea') || part.querySelector('details[open]') ||
      !selection.isCollapsed && part.contains(selection.anchorNode)
  }

  const renew = (old, next) => {
    if (old.innerHTML === next.innerHTML || busy(old)) return
    const at = document.activeElement
    const focus = old.contains(at) ? [...old.querySelectorAll('a, button, [tabindex]')].indexOf(at) : -1
    const scrolled = [...old.querySelectorAll('.scroll, pre')].map((e) => [e.scrollLeft, e.scrollTop])
    old.replaceChildren(...document.importNode(next, true).childNodes)
    old.querySelectorAll('.scroll, pre').forEach((e, i) => { if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i] })
    if (focus >= 0) old.querySelectorAll('a, button, [tabindex]')[focus]?.focus({ preventScroll: true })
  }

  const look = async () => {
    try {
      if (document.hidden) return
      const answer = await fetch(location.href, { cache: 'no-store', redirect: 'error' })
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const next = page.getElementById('main')
      if (!answer.ok || !next) return
      // Another page, such as a run that has ended, is loaded as a whole.
      if (Number(next.dataset.live || 0) !== seconds && !parts(main).some(busy)) return location.reload()
      const renewed = parts(next)
      parts(main).forEach((part, i) => { if (renewed[i]?.dataset.part === part.dataset.part) renew(part, renewed[i]) })
    } catch { // the console was stopped, or restarts
      seconds = Math.min(seconds * 2, 60)
    } finally {
      setTimeout(look, seconds * 1000)
    }
  }
  if (seconds) setTimeout(look, seconds * 1000)
})()
