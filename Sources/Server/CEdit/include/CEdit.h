// Line editing with history at a terminal, over libedit. One editor a process, one thread.
#ifndef WEIR_CEdit_H
#define WEIR_CEdit_H

typedef struct weir_editor weir_editor;

enum {
    WEIR_EDIT_LINE = 1,
    WEIR_EDIT_END = 0,
    // Ctrl-C: the line was thrown away.
    WEIR_EDIT_INTERRUPTED = -1,
};

// Writes the words that can continue `line` at its end, separated by line feeds, into `words`
// (zero-terminated, at most `capacity` bytes). Called when the user presses Tab.
typedef void (*weir_edit_complete)(const char *line, char *words, int capacity);

// Opens the editor on standard input; history is kept in `history_path` (NULL = nowhere).
weir_editor *weir_edit_open(
    const char *program, const char *history_path, weir_edit_complete complete);
// Reads one line without its line feed; it is valid until the next call.
int weir_edit_read(weir_editor *editor, const char *prompt, const char **line);
void weir_edit_remember(weir_editor *editor, const char *text);
void weir_edit_close(weir_editor *editor);

// From now on SIGINT sets a flag instead of ending the process, until `weir_edit_release_interrupts`.
void weir_edit_catch_interrupts(void);
void weir_edit_release_interrupts(void);
// Whether SIGINT came since the last question.
int weir_edit_was_interrupted(void);

// Runs a command of the shell at this terminal, for example the user's editor; its exit code.
int weir_edit_run(const char *command);

#endif
