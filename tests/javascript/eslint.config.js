// Undefined names and types are TypeScript's to find.
import js from "@eslint/js";

export default [
  {
    ...js.configs.recommended,
    files: ["src/oddlens/results/pages/explore/*.js"],
    rules: {
      ...js.configs.recommended.rules,
      "no-undef": "off",
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", 60],
      "max-len": ["error", 120],
      complexity: ["error", 15],
    },
  },
];
