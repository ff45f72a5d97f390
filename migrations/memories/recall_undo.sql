SET LOCAL ROLE jarvis_system;
DROP FUNCTION jarvis_recall_seeds, jarvis_recall_around;
RESET ROLE;
