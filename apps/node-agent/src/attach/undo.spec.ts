import { expect, it } from 'vitest';
import { UndoList } from './undo.js';

it('takes back in the opposite order, and goes on where one step cannot be taken back', async () => {
  const done: string[] = [];
  const undo = new UndoList();
  undo.note('lease', async () => void done.push('lease'));
  undo.note('link', () => Promise.reject(new Error('busy')));
  undo.note('port', async () => void done.push('port'));
  expect(await undo.rollback()).toEqual([{ what: 'link', error: new Error('busy') }]);
  expect(done).toEqual(['port', 'lease']);
  expect(await undo.rollback()).toEqual([]);
});
