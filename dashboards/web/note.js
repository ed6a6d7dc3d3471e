/* note.js - the dialogue that writes an annotation: what happened, when, to which service. It stands on every chart a
 * second later. */

const NOTE_KINDS = [['note', 'Note'], ['deploy', 'Deploy'], ['phase', 'Phase'], ['incident', 'Incident']];
const NOTE_TEXT_MAX = 500;

export function makeNote() {
    const text = h('input', {type: 'text', id: 'note-text', required: true, maxlength: String(NOTE_TEXT_MAX), autocomplete: 'off'});
    const kind = h('select', {id: 'note-kind'}, NOTE_KINDS.map(([value, name]) => h('option', {value}, name)));
    const names = h('datalist', {id: 'note-services'});
    const service = h('input', {type: 'text', id: 'note-service', list: 'note-services', autocomplete: 'off'});
    const when = h('p', {class: 'quiet'});
    const error = h('p', {class: 'error', role: 'alert'});
    const send = h('button', {type: 'submit'}, 'Write');
    const dialog = h('dialog', {class: 'note', 'aria-labelledby': 'note-title'}, h('h2', {id: 'note-title'}, 'What happened?'),
        h('form', {onsubmit: write}, h('label', {for: 'note-text'}, 'In words'), text, h('label', {for: 'note-kind'}, 'Kind'), kind,
            h('label', {for: 'note-service'}, 'Service, if it is one’s'), service, names, when, error,
            h('div', {class: 'buttons'}, send, h('button', {type: 'button', onclick: () => dialog.close()}, 'Cancel'))));
    const said = h('p', {class: 'reader-only', role: 'status'});
    document.body.append(dialog, said);
    let t = 0;

    async function write(event) {
        event.preventDefault();
        setText(error, '');
        if (!text.value.trim()) {
            setText(error, 'Say in a few words what happened.');
            text.focus();
            return;
        }
        send.disabled = true;
        try {
            const reply = await fetch('/api/crest/v1/annotations', {method: 'POST', headers: {'Content-Type': 'application/json'},
                body: JSON.stringify({kind: kind.value, text: text.value.trim(), service: service.value.trim(), t: Math.round(t)})});
            const body = await reply.json().catch(() => null);
            if (reply.ok) {
                dialog.close();
                text.value = '';
                setText(said, 'Noted. It stands on every chart.');
            } else {
                setText(error, `It was not written: ${body?.error ?? `the collector answered ${reply.status}`}`);
            }
        } catch {
            setText(error, 'It was not written: the collector does not answer. Try again.');
        }
        send.disabled = false;
    }
    return {
        open() {
            if (dialog.open)
                return;
            t = store.now();
            setText(when, `At ${clock(t)}, when this was opened.`);
            setText(error, '');
            names.replaceChildren(...store.rows('services').slice(0, 200).map((row) => h('option', {value: row.service})));
            service.value = place.get('service') ?? '';
            dialog.showModal();
            text.focus();
        },
    };
}
