/** Addition, subtraction, multiplication and division: one program, its first argument says which one it is. */

import { type Operation, serve } from './service.ts';

const OPERATIONS: Record<string, Operation> = {
  addition: (op1, op2) => op1 + op2,
  subtraction: (op1, op2) => op1 - op2,
  multiplication: (op1, op2) => op1 * op2,
  division(op1, op2) {
    // Whole numbers, as in integer arithmetic, where this is an error and not Infinity.
    if (op2 === 0) throw new RangeError('division by zero');
    return Math.trunc(op1 / op2);
  },
};

const name = process.argv[2] ?? '';
const operation = OPERATIONS[name];
if (operation === undefined) throw new Error(`usage: arithmetic.ts ${Object.keys(OPERATIONS).join('|')}`);
serve({ name, port: Number(process.env['PORT'] ?? 80), operation });
