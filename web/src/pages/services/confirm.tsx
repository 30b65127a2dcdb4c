// Asks once more before something that cannot be taken back, or between two ways of which each loses something.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ActButton } from '../../kit/controls';

export function ConfirmDialog({ title, yes, no, bad, onYes, onNo, children }: {
  title: string; yes: string; no: string; bad?: boolean; onYes: () => unknown; onNo: () => void; children: ComponentChildren;
}) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!box.current!.open) box.current!.showModal();
  }, []);
  return (
    <dialog class="confirm" ref={box} aria-labelledby="confirm-title" onCancel={(event) => { event.preventDefault(); onNo(); }}>
      <div class="stack">
        <h2 id="confirm-title">{title}</h2>
        <p>{children}</p>
        <div class="line flow"><ActButton act={async () => void (await onYes())} kind={bad ? 'bad' : 'go'}>{yes}</ActButton><button type="button" class="btn" onClick={onNo}>{no}</button></div>
      </div>
    </dialog>
  );
}
