#define _GNU_SOURCE
#include "CEdit.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 5000, WORDS_BYTES = 16384 };

struct weir_editor {
    EditLine *edit;
    History *history;
    char *history_path;
    const char *prompt;
    weir_edit_complete complete;
    char *line;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

void weir_edit_catch_interrupts(void) {
    interrupted = 0;
    // Without SA_RESTART, so that a read ends at once.
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
}

void weir_edit_release_interrupts(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGINT, &action, NULL);
}

int weir_edit_was_interrupted(void) {
    int was = interrupted;
    interrupted = 0;
    return was;
}

static char *prompt_of(EditLine *edit) {
    weir_editor *editor = NULL;
    el_get(edit, EL_CLIENTDATA, &editor);
    return (char *)editor->prompt;
}

// Reads one character; libedit's own reader would swallow the interruption.
static int read_character(EditLine *edit, wchar_t *character) {
    (void)edit;
    char bytes[8];
    mbstate_t state;
    for (size_t count = 0; count < sizeof bytes;) {
        ssize_t n = read(STDIN_FILENO, bytes + count, 1);
        if (n < 0 && errno == EINTR && !interrupted) continue;
        if (n < 0) return -1;
        if (n == 0) return 0;
        count++;
        memset(&state, 0, sizeof state);
        size_t length = mbrtowc(character, bytes, count, &state);
        if (length == (size_t)-2) continue;
        if (length == (size_t)-1) {
            // Not text in this locale: drop it.
            count = 0;
            continue;
        }
        return 1;
    }
    return 0;
}

// The longest beginning that all words share.
static size_t common_prefix(const char *words) {
    const char *first_end = strchrnul(words, '\n');
    size_t common = (size_t)(first_end - words);
    for (const char *w = first_end; *w == '\n';) {
        w++;
        const char *end = strchrnul(w, '\n');
        size_t n = 0;
        while (n < common && w + n < end && w[n] == words[n]) n++;
        common = n;
        w = end;
    }
    return common;
}

// The words in columns, at most a dozen lines of them.
static void print_words(const char *words) {
    struct winsize size;
    int width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
    int longest = 0, total = 0;
    for (const char *w = words; *w;) {
        const char *end = strchrnul(w, '\n');
        if (end - w > longest) longest = (int)(end - w);
        total++;
        w = *end ? end + 1 : end;
    }
    int columns = width / (longest + 2);
    if (columns < 1) columns = 1;
    int shown = columns * 12 < total ? columns * 12 : total;
    int number = 0;
    fputc('\n', stdout);
    for (const char *w = words; *w && number < shown; number++) {
        const char *end = strchrnul(w, '\n');
        printf("%-*.*s", longest + 2, (int)(end - w), w);
        if ((number + 1) % columns == 0 && number + 1 < shown) fputc('\n', stdout);
        w = *end ? end + 1 : end;
    }
    fputc('\n', stdout);
    if (shown < total) printf("… and %d more\n", total - shown);
}

// A line break inside of what is edited.
static unsigned char insert_break(EditLine *edit, int key) {
    (void)key;
    return el_insertstr(edit, "\n") == 0 ? CC_REFRESH : CC_ERROR;
}

static unsigned char complete_word(EditLine *edit, int key) {
    (void)key;
    weir_editor *editor = NULL;
    el_get(edit, EL_CLIENTDATA, &editor);
    const LineInfo *info = el_line(edit);
    size_t length = (size_t)(info->cursor - info->buffer);
    if (!editor->complete || length >= 4096) return CC_ERROR;
    char before[4097];
    memcpy(before, info->buffer, length);
    before[length] = 0;
    char *words = calloc(1, WORDS_BYTES);
    if (!words) return CC_ERROR;
    editor->complete(before, words, WORDS_BYTES);
    // The first line is the part of the word that is already there.
    char *rest = strchr(words, '\n');
    if (!rest || rest[1] == 0) {
        free(words);
        return CC_ERROR;
    }
    *rest++ = 0;
    size_t typed = strlen(words);
    size_t common = common_prefix(rest);
    unsigned char outcome = CC_REFRESH;
    int is_only = strchr(rest, '\n') == NULL;
    // Deleting first lets a completion change the case of what was typed.
    el_deletestr(edit, (int)typed);
    char *insert = strndup(rest, common < typed ? typed : common);
    if (common < typed) memcpy(insert, words, typed);
    el_insertstr(edit, insert);
    size_t length_of_word = strlen(insert);
    char last = length_of_word > 0 ? insert[length_of_word - 1] : 0;
    if (is_only && last != '.' && last != '(') el_insertstr(edit, " ");
    if (!is_only && common <= typed) {
        print_words(rest);
        outcome = CC_REDISPLAY;
    }
    free(insert);
    free(words);
    return outcome;
}

weir_editor *weir_edit_open(
    const char *program, const char *history_path, weir_edit_complete complete) {
    setlocale(LC_CTYPE, "");
    weir_editor *editor = calloc(1, sizeof *editor);
    if (!editor) return NULL;
    editor->prompt = "";
    editor->complete = complete;
    editor->history_path = history_path ? strdup(history_path) : NULL;
    editor->edit = el_init(program, stdin, stdout, stderr);
    editor->history = history_init();
    if (!editor->edit || !editor->history) {
        weir_edit_close(editor);
        return NULL;
    }
    HistEvent event;
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    if (editor->history_path) history(editor->history, &event, H_LOAD, editor->history_path);
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, prompt_of);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_SIGNAL, 0);
    el_set(editor->edit, EL_HIST, history, editor->history);
    el_set(editor->edit, EL_GETCFN, read_character);
    el_set(editor->edit, EL_ADDFN, "weir-complete", "complete the word", complete_word);
    el_set(editor->edit, EL_BIND, "^I", "weir-complete", NULL);
    el_set(editor->edit, EL_ADDFN, "weir-break", "insert a line break", insert_break);
    el_set(editor->edit, EL_BIND, "\033\015", "weir-break", NULL);
    el_set(editor->edit, EL_BIND, "\033\012", "weir-break", NULL);
    el_set(editor->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(editor->edit, NULL);
    return editor;
}

int weir_edit_read(weir_editor *editor, const char *prompt, const char **line) {
    editor->prompt = prompt;
    free(editor->line);
    editor->line = NULL;
    int count = 0;
    const char *text = el_gets(editor->edit, &count);
    if (!text || count <= 0) {
        if (weir_edit_was_interrupted()) {
            // What was typed must not come back with the next line.
            el_reset(editor->edit);
            fputs("^C\n", stdout);
            fflush(stdout);
            return WEIR_EDIT_INTERRUPTED;
        }
        return WEIR_EDIT_END;
    }
    editor->line = strdup(text);
    if (!editor->line) return WEIR_EDIT_END;
    // Statements of several lines come back from history with their line breaks.
    size_t length = strlen(editor->line);
    if (length > 0 && editor->line[length - 1] == '\n') editor->line[length - 1] = 0;
    *line = editor->line;
    return WEIR_EDIT_LINE;
}

void weir_edit_remember(weir_editor *editor, const char *text) {
    HistEvent event;
    history(editor->history, &event, H_ENTER, text);
    if (!editor->history_path) return;
    // Statements can hold secrets: nobody else reads the file.
    mode_t before = umask(077);
    history(editor->history, &event, H_SAVE, editor->history_path);
    umask(before);
}

void weir_edit_close(weir_editor *editor) {
    if (!editor) return;
    if (editor->edit) el_end(editor->edit);
    if (editor->history) history_end(editor->history);
    free(editor->history_path);
    free(editor->line);
    free(editor);
}

int weir_edit_run(const char *command) {
    int status = system(command);
    return status == -1 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
