/* Runs one fuzz target over its committed corpus, so that `make check` keeps
 * what fuzzing found. The program replay_NAME reads tests/corpus/NAME, or the
 * files and folders of its command line. Small files are run at every length
 * too: each cut is a hostile input that costs nothing to keep. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (1u << 20)
#define CUT_MAX_BYTES 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of its own, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static unsigned replay_file(const char *path)
{
	uint8_t *data = malloc(FILE_MAX_BYTES);
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!data || !f) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(EXIT_FAILURE);
	}
	n = fread(data, 1, FILE_MAX_BYTES, f);
	fclose(f);
	for (size_t cut = 0; n <= CUT_MAX_BYTES && cut < n; cut++)
		run(data, cut);
	run(data, n);
	free(data);
	return 1;
}

static unsigned replay(const char *path)
{
	unsigned count = 0;
	struct dirent *e;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "cannot open %s\n", path);
		exit(EXIT_FAILURE);
	}
	while ((e = readdir(dir)) != NULL) {
		char file[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		count += replay_file(file);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	unsigned count = 0;
	char folder[4096];

	name = name ? name + 1 : argv[0];
	if (strncmp(name, "replay_", 7) == 0)
		name += 7;
	snprintf(folder, sizeof(folder), "%s/tests/corpus/%s", MICA_SOURCE_DIR,
	        name);
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	if (argc < 2)
		count = replay(folder);
	printf("%s: %u files\n", name, count);
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
